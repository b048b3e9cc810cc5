/** Why a function whose environment does not open can't run, and no version be made of it. */
export const LOCKED_ENVIRONMENT =
  'Lambda was unable to decrypt the environment variables: they are sealed with another key, or their record was changed. ' +
  'Restore the sealing key or the record, or set the variables anew.';
