export const handler = async ({ name, fail }) => {
  if (fail) throw new Error('as asked');
  return { message: `Hello, ${name ?? 'world'}!` };
};
