export * from './materialise.ts';
