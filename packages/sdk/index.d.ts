/** Whether the hooks below will run. False where there are no snapshots: on AWS Lambda, in a test. */
export declare const restores: boolean;

/**
 * Runs once, at the end of init, before instances are forked from it: to close what a fork would not have. Its time is init's, and when it throws or
 * rejects, init has failed. The last registered runs first. Call it during init.
 */
export declare function beforeSnapshot(hook: () => void | Promise<void>): void;

/**
 * Runs once in each instance, when its first invocation is there and before that begins: to connect, to draw what must be unique. When it throws,
 * rejects or takes more than 10 seconds, that invocation fails and the instance ends. The first registered runs first. Call it during init.
 */
export declare function afterRestore(hook: () => void | Promise<void>): void;
