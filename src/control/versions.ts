import { HearthError } from '../kernel/mod.ts';
import type { Functions } from './functions.ts';
import { codeSha256 } from './code-sha256.ts';
import { LOCKED_ENVIRONMENT } from './locked.ts';
import type { FunctionRecord } from './records.ts';
import type { CodeState, FunctionEntry, FunctionVersion, FunctionView } from './table.ts';

export type PublishVersion = {
  readonly name: string;
  readonly description?: string;
  /** Base64, as the API shows it. Must be that of `$LATEST` when given. */
  readonly codeSha256?: string;
  readonly revisionId?: string;
};

/**
 * Makes an immutable version of `$LATEST`. Answers with the newest version when nothing changed since.
 * Throws `ResourceNotFoundException`, `PreconditionFailedException`, `InvalidParameterValueException`, `StoreFailed`.
 */
export async function publishVersion(functions: Functions, input: PublishVersion): Promise<FunctionView> {
  return functions.change(input.name, (entry) => {
    checkRevision(entry, input.revisionId);
    const { latest, publishedFrom } = entry.record;
    const current = codeSha256(latest.code);
    if (input.codeSha256 && input.codeSha256 !== current)
      throw new HearthError(
        'InvalidParameterValueException',
        `CodeSHA256 (${input.codeSha256}) is different from current CodeSHA256 in $LATEST (${current}). Please try again with the CodeSHA256 in $LATEST.`,
      );
    const same = publishedFrom?.deploymentId === latest.deploymentId ? entry.versions.get(publishedFrom.version) : undefined;
    if (same) return { record: entry.record, result: (now) => ({ entry: now!, version: same }) };
    const { record, version } = publishFrom(functions, entry.record, entry.versions.get('$LATEST')!.code, input.description);
    const touched = { ...record, latest: { ...record.latest, revisionId: functions.random.uuid() } };
    return { record: touched, addVersions: [version], result: (now) => ({ entry: now!, version }) };
  });
}

/** The next version of a function, made of its `$LATEST`, and the record that knows of it. */
export function publishFrom(
  functions: Functions,
  before: FunctionRecord,
  code: CodeState,
  description = before.latest.settings.description,
): { record: FunctionRecord; version: FunctionVersion } {
  if (before.latest.settings.lockedEnvironment !== undefined) throw new HearthError('KMSAccessDeniedException', LOCKED_ENVIRONMENT);
  const number = before.published + 1;
  const version = {
    ...before.latest,
    version: String(number),
    settings: { ...before.latest.settings, description },
    revisionId: functions.random.uuid(),
    deploymentId: functions.random.uuid(),
  };
  const publishedFrom = { deploymentId: before.latest.deploymentId, version: version.version };
  return { record: { ...before, published: number, publishedFrom }, version: { record: version, code } };
}

export function checkRevision(entry: FunctionEntry, revisionId: string | undefined): void {
  if (revisionId !== undefined && revisionId !== entry.record.latest.revisionId)
    throw new HearthError(
      'PreconditionFailedException',
      'The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id',
    );
}
