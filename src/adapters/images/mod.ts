export { openImages } from './images.ts';
export type { Images, ImagesOptions, UnpackOptions } from './images.ts';
export type { ExposedPort, Image, ImageConfig, ImageLayer } from './image.ts';
export type { ImageLimits } from './limits.ts';
export type { Architecture } from './platform.ts';
export { openUploads } from './uploads.ts';
export type { Uploads, UploadsOptions } from './uploads.ts';
