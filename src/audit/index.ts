export {
  type AuditEvent,
  type AuditRecord,
  type AuditResult,
  type AuditTrail,
  auditResults,
} from './trail.ts';
