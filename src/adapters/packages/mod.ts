export * from './packages.ts';
export { convertWat } from './wat.ts';
