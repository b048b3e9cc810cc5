export { readBody } from './body.ts';
export type { BodyListener } from './body.ts';
export { createGateway } from './gateway.ts';
export type { Admit, Gateway, GatewayOptions } from './gateway.ts';
export type { UrlCors, UrlRoute, UrlRoutes } from './route.ts';
