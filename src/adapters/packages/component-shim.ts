/** What the translator, a component itself, imports of WASI: texts on standard error go nowhere, and there are no files, variables or arguments. */
import { randomFillSync } from 'node:crypto';

class Nothing {
  readonly nothing = true;
}
class Output {
  checkWrite = (): bigint => 65_536n;
  write = (): void => {};
  blockingWriteAndFlush = (): void => {};
  blockingFlush = (): void => {};
}
const ended = (): never => {
  throw new Error('the translator gave up');
};
const none = (): undefined => undefined;
const bytes = (length: bigint): Uint8Array => randomFillSync(new Uint8Array(Number(length)));

export const environment = { getEnvironment: () => [], getArguments: () => [], initialCwd: none };
export const exit = { exit: ended };
export const stdin = { getStdin: () => new Nothing(), InputStream: Nothing };
export const stdout = { getStdout: () => new Output(), OutputStream: Output };
export const stderr = { getStderr: () => new Output(), OutputStream: Output };
export const terminalInput = { TerminalInput: Nothing };
export const terminalOutput = { TerminalOutput: Nothing };
export const terminalStdin = { getTerminalStdin: none };
export const terminalStdout = { getTerminalStdout: none };
export const terminalStderr = { getTerminalStderr: none };
export const preopens = { getDirectories: () => [] };
export const types = { Descriptor: Nothing, DirectoryEntryStream: Nothing, filesystemErrorCode: none };
export const error = { Error: Nothing };
export const streams = { InputStream: Nothing, OutputStream: Output };
export const random = { getRandomBytes: bytes, getRandomU64: () => Buffer.from(bytes(8n).buffer).readBigUInt64LE() };
