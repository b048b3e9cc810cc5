/** Which of an index's images this machine can run. */
export type Architecture = 'amd64' | 'arm64';

export type Platform = {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
};

export function thisArchitecture(): Architecture {
  return process.arch === 'arm64' ? 'arm64' : 'amd64';
}

/** The variants that every processor of the architecture is; of others it isn't known whether this one is among them. */
const BASE_VARIANT: Readonly<Record<Architecture, string>> = { amd64: 'v1', arm64: 'v8' };

export function runsOn(architecture: Architecture, platform: Platform): boolean {
  if (platform.os !== 'linux' || platform.architecture !== architecture) return false;
  return platform.variant === undefined || platform.variant === '' || platform.variant === BASE_VARIANT[architecture];
}

export function platformText({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined || variant === '' ? [] : [variant])].join('/');
}
