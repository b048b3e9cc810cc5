import type { Exit } from '../../ports/mod.ts';
import type { Accept, Connected } from './doorway.ts';
import type { Beside } from './inside.ts';

/** What a blank sandbox is given beside its function's spec. */
export type InitOptions = {
  /** Below the directory of packages. */
  readonly code: string;
  readonly layers: readonly string[];
  readonly connected: Connected;
  /** Where connections to the Runtime API go; absent: it has none. */
  readonly api?: Accept;
  /** What the template is from the beginning, where it is no template. */
  readonly serves?: Served;
  /** What is executed in place of the function's own program. */
  readonly command?: readonly string[];
  /** What begins before it. */
  readonly beside?: Beside;
};

/** What the template becomes: an instance that is not forked. */
export interface Served {
  readonly oldest: number | undefined;
  reportExit(exit: Exit): void;
}
