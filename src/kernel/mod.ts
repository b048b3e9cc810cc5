export * from './assert.ts';
export * from './clock.ts';
export * from './errors.ts';
export * from './fifo.ts';
export * from './ids.ts';
export * from './limits.ts';
export * from './log.ts';
export * from './random.ts';
