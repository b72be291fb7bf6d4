export { type AuditTrailOptions, createAuditTrail, type SqliteAuditTrail } from './create.ts';
export {
  type AuditEvent,
  type AuditRecord,
  type AuditResult,
  type AuditTrail,
  auditResults,
} from './trail.ts';
