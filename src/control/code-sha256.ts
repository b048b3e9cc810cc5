import type { FunctionCode } from './records.ts';

/** As the API shows it: base64 for a package, hexadecimal for an image. */
export const codeSha256 = ({ sha256, image }: FunctionCode): string => (image ? sha256 : Buffer.from(sha256, 'hex').toString('base64'));
