export * from './evict.ts';
export * from './patience.ts';
export * from './retry-boot.ts';
export * from './schedule.ts';
