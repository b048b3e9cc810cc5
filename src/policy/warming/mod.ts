export { binOf, SHORT } from './bins.ts';
export * from './create.ts';
export * from './eviction.ts';
export { Gaps } from './gaps.ts';
export * from './policy.ts';
export { Population } from './population.ts';
export { HEIGHT, memoryOf } from './worth.ts';
