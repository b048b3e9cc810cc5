/** One row per code. A test holds it against docs/errors/CODE.md, one page each. */
export type ErrorEntry = {
  /** HTTP status at the APIs. 0: never leaves over HTTP (start-up and CLI errors). */
  readonly status: number;
  readonly fault: 'caller' | 'platform' | 'operator';
  /** Whether the same request may succeed later, unchanged. */
  readonly retryable: boolean;
  readonly summary: string;
};

const entry = (status: number, fault: ErrorEntry['fault'], retryable: boolean, summary: string): ErrorEntry => ({
  status,
  fault,
  retryable,
  summary,
});

/** Codes that AWS has keep AWS's name; the others are ours. */
export const CATALOGUE = {
  // The Lambda API's own
  InvalidParameterValueException: entry(400, 'caller', false, 'A parameter has a value that is not allowed.'),
  InvalidRequestContentException: entry(400, 'caller', false, 'The request body is not valid JSON.'),
  SerializationException: entry(400, 'caller', false, 'A request field has another type than the service model says.'),
  ValidationException: entry(400, 'caller', false, 'A request field breaks the constraints of the service model.'),
  ResourceNotFoundException: entry(404, 'caller', false, 'The function, version or configuration named does not exist.'),
  ProvisionedConcurrencyConfigNotFoundException: entry(404, 'caller', false, 'The version or alias has no provisioned concurrency.'),
  ResourceConflictException: entry(409, 'caller', false, 'The resource exists already, or another change to it is in progress.'),
  PreconditionFailedException: entry(412, 'caller', false, 'The RevisionId given is not the latest.'),
  RequestTooLargeException: entry(413, 'caller', false, 'The request payload is over the limit.'),
  CodeStorageExceededException: entry(400, 'caller', false, 'The code storage limit is reached.'),
  PolicyLengthExceededException: entry(400, 'caller', false, 'The resource policy of a function is over the limit.'),
  InvalidZipFileException: entry(502, 'caller', false, 'The deployment package cannot be unpacked.'),
  TooManyRequestsException: entry(429, 'caller', true, 'Too many requests wait or run already.'),
  KMSAccessDeniedException: entry(502, 'platform', false, 'The environment variables of a function cannot be opened.'),
  ResourceNotReadyException: entry(502, 'platform', true, 'The function is not ready to be invoked.'),
  ServiceException: entry(500, 'platform', true, 'The platform failed.'),
  // Authentication at the door
  MissingAuthenticationTokenException: entry(403, 'caller', false, 'The request carries no signature.'),
  UnrecognizedClientException: entry(403, 'caller', false, 'The access key is not known.'),
  IncompleteSignatureException: entry(400, 'caller', false, 'The signature cannot be read.'),
  InvalidSignatureException: entry(403, 'caller', false, 'The signature does not match, or is outside its time window.'),
  AccessDeniedException: entry(403, 'caller', false, 'The caller may not do this.'),
  // Ours
  Internal: entry(500, 'platform', true, 'Something failed that should not.'),
  NotFound: entry(404, 'caller', false, 'Nothing answers at this address.'),
  BadRequest: entry(400, 'caller', false, 'The HTTP request cannot be understood.'),
  ShuttingDown: entry(503, 'platform', true, 'This node is shutting down and takes no new work.'),
  SandboxFailed: entry(502, 'platform', true, 'A sandbox could not be started.'),
  StoreConflict: entry(409, 'platform', true, 'A record changed between reading and writing it.'),
  StoreFailed: entry(500, 'platform', true, 'The store could not complete a write.'),
  BlobNotFound: entry(404, 'platform', false, 'A stored blob is not there.'),
  BlobDamaged: entry(500, 'platform', false, 'A stored blob does not have the content its name says.'),
  ImageInvalid: entry(400, 'caller', false, 'A container image is not what its format says, or holds what is refused for safety.'),
  ImageDamaged: entry(400, 'caller', false, 'A container image is incomplete, or its content does not match its digests.'),
  ImageUnsupported: entry(400, 'caller', false, 'A container image is of a kind that is not supported.'),
  ImageTooLarge: entry(400, 'caller', false, 'A container image is over a limit.'),
  ImagePlatformMismatch: entry(400, 'caller', false, 'A container image has nothing for the platform of this machine.'),
  ImageNotFound: entry(404, 'caller', false, 'There is no container image at the path, or none of that name in it.'),
  DataDirectoryLocked: entry(0, 'operator', false, 'Another process uses this data directory.'),
  DataDirectoryUnusable: entry(0, 'operator', false, 'The data directory cannot be created, written or understood.'),
  SealingKeyUnusable: entry(0, 'operator', false, 'The key that secrets are sealed with is missing, damaged or another one.'),
  ListenRefused: entry(0, 'operator', false, 'Listening beyond loopback needs --auth.'),
  AddressInUse: entry(0, 'operator', false, 'The port is taken.'),
  Unreachable: entry(0, 'operator', true, 'No Hearth answers at the endpoint.'),
  BadUsage: entry(0, 'operator', false, 'The command line cannot be understood.'),
  BuildFailed: entry(0, 'operator', false, 'The function could not be bundled.'),
  TraceInvalid: entry(0, 'operator', false, 'A trace to replay is not what its format says.'),
  TraceTooLarge: entry(0, 'operator', false, 'A trace to replay is over a limit.'),
  PredictionMissed: entry(0, 'platform', true, 'A live replay counted other starts than were predicted.'),
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof CATALOGUE;
