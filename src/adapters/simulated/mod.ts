export * from './sim-store.ts';
