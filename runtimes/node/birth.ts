/** When an instance came to be, as `machineMs` says; 0: it did not happen. */
export type Birth = {
  /** The template read the order; it had forked; the instance was ready for its first invocation, and had read it. */
  readonly begunMs: number;
  readonly forkedMs: number;
  readonly readyMs: number;
  eventMs: number;
};

/** `evented`: something is at work between invocations, and the event loop runs all the while. */
export type Begin = (birth: Birth, evented?: boolean) => void;
