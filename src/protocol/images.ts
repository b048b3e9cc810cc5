/** A container image as Hearth's own API shows it. */
export type ImageView = {
  readonly digest: string;
  readonly names: readonly string[];
  readonly architecture: string;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly workingDirectory: string;
  readonly layers: readonly string[];
};
