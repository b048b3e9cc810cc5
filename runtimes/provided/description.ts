/** What the host must know of custom runtimes: an executable of the function's own that asks for its events by the Lambda Runtime API. */
export const provided = {
  name: 'provided',

  /** Beside those that all functions have. */
  environment: (_identifier: string): Readonly<Record<string, string>> => ({}),
} as const;
