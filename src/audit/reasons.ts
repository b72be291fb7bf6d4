import { refusalCodes } from '../base/index.ts';

/** Every value of `reason`. A code stays what it means; docs/audit.md has a row for each. */
export const auditReasons = [...refusalCodes, 'ok', 'tool_error', 'rpc_error', 'cancelled'] as const;
export type AuditReason = (typeof auditReasons)[number];
