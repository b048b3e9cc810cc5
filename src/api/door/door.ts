import type { Clock } from '../../kernel/mod.ts';
import type { WireRequest } from '../../protocol/mod.ts';
import type { AccessKeys } from './access-keys.ts';
import { checkNotForeign } from './loopback.ts';
import type { BrowserHeaders } from './loopback.ts';
import { signatureCheck } from './signatures.ts';
import type { Examination } from './signatures.ts';

export type DoorRequest = {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly rawHeaders: readonly string[];
  readonly headers: BrowserHeaders;
};

/** Where requests to the control APIs, and to function URLs that want a signature, are let in or refused with a HearthError. */
export interface Door {
  readonly auth: boolean;
  /** To be asked before the body is read; a result wants to see the body, too. Undefined: authentication is off, and the request may pass. */
  admit(request: DoorRequest, services: readonly string[]): Examination | undefined;
  /** The same for a function URL with AuthType AWS_IAM; undefined: authentication is off. */
  admitToUrl(request: DoorRequest): Examination | undefined;
}

export type DoorOptions = { readonly auth: boolean; readonly keys: AccessKeys; readonly clock: Clock; readonly region: string };

export function createDoor(options: DoorOptions): Door {
  const signatures = signatureCheck(options);
  return {
    auth: options.auth,
    admit(request, services) {
      if (options.auth) return signatures.examine(wire(request), services);
      checkNotForeign(request.method ?? 'GET', request.headers);
      return undefined;
    },
    admitToUrl: (request) => (options.auth ? signatures.examine(wire(request), ['lambda']) : undefined),
  };
}

function wire(request: DoorRequest): WireRequest {
  return { method: request.method ?? 'GET', url: request.url ?? '/', rawHeaders: request.rawHeaders };
}
