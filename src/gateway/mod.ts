export { discard, readBody } from './body.ts';
export type { BodyListener } from './body.ts';
export { Front } from './front.ts';
export type { HandOver } from './front.ts';
export { createGateway } from './gateway.ts';
export type { Admit, Gateway, GatewayOptions, PlainClient } from './gateway.ts';
export type { UrlCors, UrlRoute, UrlRoutes } from './route.ts';
