import type { Exit, Instance, Template } from '../../ports/mod.ts';

/** What init came to. */
export type TemplateFacts = Pick<Template, 'initMs' | 'streaming' | 'blockers' | 'steps'>;

export type FirstTemplateOptions<T extends Instance> = {
  /** The one that has shown that init succeeds. */
  readonly first: T;
  /** It is given away. */
  readonly taken?: (first: T) => void;
  /** Starts a further one, which runs init anew. */
  readonly start: () => Instance;
  readonly onClose?: () => void;
};

/** A template whose instances are not forked: the one that ran init is the first, and each further one is started by itself. */
export class FirstTemplate<T extends Instance> implements Template {
  readonly initMs: number;
  readonly streaming: boolean;
  readonly forks = false;
  readonly blockers: Template['blockers'];
  readonly steps: Template['steps'];
  readonly closed: Promise<Exit>;
  readonly #settle: (exit: Exit) => void;
  readonly #options: FirstTemplateOptions<T>;
  /** Until it is given away. */
  #first: T | undefined;
  #open = true;

  constructor({ initMs, streaming, blockers, steps }: TemplateFacts, options: FirstTemplateOptions<T>) {
    this.initMs = initMs;
    this.streaming = streaming;
    this.blockers = blockers;
    this.steps = steps;
    this.#options = options;
    this.#first = options.first;
    const { promise, resolve } = Promise.withResolvers<Exit>();
    this.closed = promise;
    this.#settle = resolve;
  }

  fork(): Instance {
    const first = this.#first;
    this.#first = undefined;
    if (first?.alive) {
      first.onLog = undefined;
      this.#options.taken?.(first);
      return first;
    }
    const instance = this.#options.start();
    // Nobody gives the instances of a closed template work.
    if (!this.#open) instance.kill();
    return instance;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#first?.kill();
    this.#first = undefined;
    this.#options.onClose?.();
    this.#settle({ kind: 'ended' });
  }
}
