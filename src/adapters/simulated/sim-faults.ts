import type { Random } from '../../kernel/mod.ts';

/** What goes wrong, each with its probability from 0 to 1 at every occasion. */
export type SimFaults = {
  /** `boot` throws SandboxFailed. */
  readonly bootThrows: number;
  /** Init fails. */
  readonly bootFails: number;
  /** Init takes too long. */
  readonly bootTimesOut: number;
  /** A boot takes ten times as long. */
  readonly bootSlow: number;
  /** `boot` never settles. */
  readonly bootHangs: number;
  /** The template ends after a fork; its instances live on. */
  readonly templateDies: number;
  /** A forked process never comes to be. */
  readonly forkFails: number;
  /** The process dies some time into an invocation. */
  readonly dies: number;
  /** It sends something that is not the protocol. */
  readonly violates: number;
  /** It takes the event and never answers. */
  readonly neverAnswers: number;
};

export const NO_FAULTS: SimFaults = {
  bootThrows: 0,
  bootFails: 0,
  bootTimesOut: 0,
  bootSlow: 0,
  bootHangs: 0,
  templateDies: 0,
  forkFails: 0,
  dies: 0,
  violates: 0,
  neverAnswers: 0,
};

/** Draws from a random source. */
export type Dice = {
  /** From 0 up to 1. */
  readonly fraction: () => number;
  readonly happens: (probability: number) => boolean;
};

export function diceOf(random: Random): Dice {
  const fraction = () => Buffer.from(random.bytes(4)).readUInt32LE(0) / 2 ** 32;
  return { fraction, happens: (probability) => probability > 0 && fraction() < probability };
}
