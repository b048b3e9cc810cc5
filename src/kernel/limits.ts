/** Everything has a limit; here are their defaults. Figures named "Lambda" are the published quotas of AWS Lambda. */
const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

export const LIMITS = {
  /** Lambda: synchronous request and response payload, each. */
  payloadBytes: 6 * MiB,
  /** Lambda: streamed response, soft default. */
  streamedResponseBytes: 200 * MiB,
  /** A frame between host and instance: a payload and room for its head. */
  frameBytes: 8 * MiB,
  /** Lambda: zipped package in a direct upload; and unpacked, layers included. */
  zipBytes: 50 * MiB,
  unzippedBytes: 250 * MiB,
  /** Lambda: all packages of an account together. */
  codeStorageBytes: 75 * 1024 * MiB,
  zipEntries: 100_000,
  zipEntryNameBytes: 1024,
  /** Lambda's bounds of the function configuration. */
  timeoutSeconds: { min: 1, max: 900, default: 3 },
  memoryMiB: { min: 128, max: 10_240, default: 128 },
  tmpMiB: { min: 512, max: 10_240, default: 512 },
  environmentBytes: 4 * KiB,
  descriptionLength: 256,
  handlerLength: 128,
  functionNameLength: 64,
  /** Entrypoint, Cmd and Env of a container image that a function is made of. */
  imageStartBytes: 64 * 1024,
  layersPerFunction: 5,
  tagsPerFunction: 50,
  /** Lambda: the resource policy of one function, version or alias. */
  policyBytes: 20 * KiB,
  /** Lambda: an init may take 10 s before the first invocation has to pay for it. */
  initTimeoutMs: 10_000,
  /** Lambda: the log tail that Invoke returns. */
  logTailBytes: 4 * KiB,
  /** One log line; longer ones are cut and marked. */
  logLineBytes: 256 * KiB,
  /** Control API bodies other than code and payloads. */
  apiBodyBytes: 70 * MiB,
  listPage: { max: 10_000, default: 50 },
  /** Lambda: account concurrency. */
  concurrentInvocations: 1_000,
  /** Lambda: what reservations must leave of it to functions without one. */
  unreservedConcurrency: 100,
  /** Requests that may wait for an instance, per function version, and for how long. */
  queueDepth: 1_000,
  queueAgeMs: 30_000,
  /** What a function may set of its own scaling. Lambda's own where it has one: concurrency of an instance. */
  scaling: {
    concurrency: { min: 1, max: 1_000 },
    instances: { min: 0, max: 10_000 },
    targetUtilisation: { min: 0.1, max: 1 },
    scaleDownDelayMs: { min: 1_000, max: 3_600_000 },
    burstMultiple: { min: 1.1, max: 10 },
    queueDepth: { min: 0, max: 10_000 },
    queueAgeMs: { min: 1, max: 300_000 },
  },
  /** How fast warming policies may be had live: a policy's minute is 60 ms then. */
  warmingSpeed: { min: 1, max: 1_000 },
  /** How long an idle instance is kept, unless the operator says otherwise. */
  keepAliveMs: 10 * 60_000,
  /** Scheduled warming: schedules of a function, and how long one may keep instances from one of its times on. */
  warmSchedules: { perFunction: 10, windowMs: { min: 60_000, max: 7 * 24 * 3_600_000 } },
  /** What a function may ask of the machines that it runs on. */
  capacityLabels: 16,
  /** The same for all functions together. */
  queueDepthTotal: 10_000,
  /** The store: what may wait to be written, what one group may hold, and one value as JSON text. */
  store: { queuedCommits: 10_000, queuedBytes: 64 * MiB, groupCommits: 1_000, groupBytes: 8 * MiB, valueBytes: 16 * MiB },
  /** The functions' logs: space on disk, per function (files x bytes) and in total, and what may wait in memory to be written. */
  functionLogs: {
    fileBytes: 8 * MiB,
    filesPerFunction: 2,
    totalBytes: 1024 * MiB,
    bufferBytes: 8 * MiB,
    flushBytes: MiB,
    flushDelayMs: 50,
  },
  /** Invocations in one exported trace, and in one that is replayed by their exact times. */
  tracedInvocations: 20_000_000,
  /**
   * Container images. `unpackedBytes` is Lambda's, for all layers together; `archiveBytes` goes for a file that is handed in, and for what a
   * compressed one holds. `entries`: of all layers. `compressionRatio` goes for each layer, of which `compressionFreeBytes` are free of it. `unpackMs`: less than what HTTP
   * clients wait for an answer.
   */
  images: {
    archiveBytes: 10 * GiB,
    archiveEntries: 10_000,
    documentBytes: 4 * MiB,
    documents: 64,
    unpackedBytes: 10 * GiB,
    layers: 127,
    entries: 500_000,
    pathBytes: 2_048,
    compressionRatio: 500,
    compressionFreeBytes: 64 * MiB,
    unpackMs: 4 * 60_000,
    uploads: 4,
    uploadPieceBytes: 8 * MiB,
    uploadIdleMs: 10 * 60_000,
  },
  /** Connections of functions to the outside: how long one may take to be made, and be silent after that. */
  egress: { connectTimeoutMs: 10_000, idleTimeoutMs: 350_000 },
  /** `stalledReaderMs`: for how long a client may read nothing of its answer; `unreadBytes`: what all together may leave unread. */
  http: {
    headerBytes: 32 * KiB,
    headersTimeoutMs: 10_000,
    requestTimeoutMs: 60_000,
    keepAliveTimeoutMs: 65_000,
    connections: 10_000,
    stalledReaderMs: 30_000,
    unreadBytes: 512 * MiB,
  },
} as const;
