export * from './admin.ts';
export type { ImageAdmin, ImageView } from './images.ts';
