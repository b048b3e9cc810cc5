export * from './evict.ts';
export * from './patience.ts';
export * from './retry-boot.ts';
export * from './schedule.ts';
export * from './address.ts';
export * from './egress.ts';
