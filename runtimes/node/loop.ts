/** The event loop, as libuv sees it. */
import * as ffi from 'node:ffi';

const { uv_loop_alive } = ffi.dlopen(null, { uv_loop_alive: { return: 'i32', arguments: ['u64'] } }).functions;
const loop = ffi.getCurrentEventLoop();

/** Whether timers, sockets, requests or the like keep the event loop going. */
export const loopAlive = (): boolean => uv_loop_alive(loop) !== 0;
