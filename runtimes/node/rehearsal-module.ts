/** A function as users write them, for the zygote's rehearsal. */
export const handler = async (event: { readonly name: string }): Promise<unknown> => ({ statusCode: 200, body: `hello ${event.name}` });
