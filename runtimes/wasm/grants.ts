/** What a function's module is given beyond its event, as the host has read it from the function's tag. */
export type Grants = {
  /** Clocks to the nanosecond, not to the millisecond. */
  readonly clock: boolean;
  readonly random: boolean;
  readonly directories: readonly { readonly host: string; readonly guest: string; readonly writable: boolean }[];
  /** One instance's state goes on from invocation to invocation. */
  readonly keep: boolean;
};

export const NO_GRANTS: Grants = { clock: false, random: false, directories: [], keep: false };
