export * from './frames.ts';
export * from './http-event.ts';
export * from './http-response.ts';
export * from './json.ts';
export * from './sigv4-parse.ts';
export * from './sigv4-sign.ts';
export * from './sigv4.ts';
export * from './event-stream.ts';
