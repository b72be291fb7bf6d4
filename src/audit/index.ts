export type { ResultHash } from './arguments-hash.ts';
export { type BoundedEvents, createBoundedEvents } from './bounded-events.ts';
export type { Captured, CapturedCall } from './capture/capture.ts';
export { readAuditorKeys } from './capture/sealed.ts';
export type { CopyState } from './copies/copier.ts';
export type { CopyMeans } from './copies/create.ts';
export { type AuditTrailOptions, createAuditTrail, type OpenAuditTrail } from './create.ts';
export type { AuditEntry } from './entry.ts';
export { type Exporter, type ExportFormat, exporterFor } from './export/export.ts';
export { formatJsonLine, formatRecord } from './format.ts';
export { argumentsForm, argumentsHash } from './hash.ts';
export { auditJsonSchema } from './json-schema.ts';
export { openAuditKeys, publicAuditKeys, readAuditKeys } from './keys.ts';
export { type Guess, type Matches, type MatchQuestion, matchArguments, rotateKeys } from './match.ts';
export { type OpenedArguments, openArguments, recordOpening } from './open.ts';
export { parseTime } from './period.ts';
export { notedPostgres, notePostgres } from './place.ts';
export {
  type AuditFilter,
  type AuditQuery,
  listOrphans,
  queryAudit,
  type StoredEntry,
  type StoredEvent,
  type StoredRecord,
  type StoredResult,
} from './query.ts';
export { type AuditStore, openAuditSource } from './read/open.ts';
export type { WriterPresence } from './read/presence.ts';
export { orphansOf, queryEntries, type TailOptions, tailEntries } from './read/read.ts';
export type { AuditSource, Named } from './read/source.ts';
export { type AuditStats, statsOf } from './read/stats.ts';
export { storyOf } from './read/story.ts';
export { type CallTrace, traceOf } from './read/trace.ts';
export { type AuditReason, auditReasons } from './reasons.ts';
export { type RefusedRequest, refusedRequest } from './refused-request.ts';
export {
  type AuditResult,
  type AuditResultClass,
  auditResults,
} from './results.ts';
export { planOld, removeOld } from './retention/once.ts';
export type { Plan as RetentionPlan } from './retention/plan.ts';
export type { Keep } from './retention/retention.ts';
export { auditFile } from './schema.ts';
export type {
  AuditEvent,
  AuditRecord,
  AuditTrail,
  CallDetails,
  CallEntry,
  EventEntry,
  WouldDeny,
} from './trail.ts';
export type { ChainReport } from './verify/chains.ts';
export type { Finding, FindingKind } from './verify/finding.ts';
export { type Verification, type VerifyOptions, verifyAudit } from './verify/verify.ts';
export { fileWitness, type Witness } from './witness.ts';
