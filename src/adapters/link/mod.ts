export { awaitReady } from './await-ready.ts';
export type { AwaitReadyOptions, Ready } from './await-ready.ts';
export { EventPipe } from './event-pipe.ts';
export { closedLink, linkFd, linkSocket } from './link.ts';
export type { Link, LinkListener } from './link.ts';
export { LinkedInstance } from './linked-instance.ts';
export type { LinkedInstanceOptions } from './linked-instance.ts';
export { lastingRuntime, materialiseRuntime } from './materialise.ts';
export { FUNCTION_STEPS, INSTANCE_STEPS, PROCESS_STEPS, processTimes, SANDBOX_STEPS, Steps } from './steps.ts';
