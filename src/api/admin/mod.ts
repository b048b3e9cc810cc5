export * from './admin.ts';
export type { ImageAdmin } from './images.ts';
