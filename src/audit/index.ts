export { type AuditTrailOptions, createAuditTrail, type SqliteAuditTrail } from './create.ts';
export type { AuditEntry } from './entry.ts';
export { type FollowOptions, followAudit } from './follow.ts';
export { formatJsonLine, formatRecord } from './format.ts';
export { argumentsForm, argumentsHash } from './hash.ts';
export { auditJsonSchema } from './json-schema.ts';
export { neutralText } from './neutral.ts';
export { parseTime } from './period.ts';
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
export { type AuditReason, auditReasons } from './reasons.ts';
export { redact } from './redact.ts';
export {
  type AuditResult,
  type AuditResultClass,
  auditResultClasses,
  auditResults,
  resultClass,
} from './results.ts';
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
