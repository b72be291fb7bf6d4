/**
 * How a call ended, from finest to coarsest. `result` says what happened; `result_class` is the same in the four words that
 * coarse alerts count by. What is denied because the caller may not do it is `denied_auth`, by whichever control.
 */
const classes = {
  success: 'success',
  /** The tool answered that it failed (`isError`). */
  tool_error: 'error',
  error: 'error',
  timeout: 'error',
  cancelled: 'error',
  /** Not readable one way only. */
  malformed: 'error',
  denied_auth: 'denied_auth',
  denied_audience: 'denied_auth',
  denied_scope: 'denied_auth',
  denied_policy: 'denied_auth',
  denied_approval: 'denied_auth',
  /** Waits for a person: was not executed. */
  pending_approval: 'denied_auth',
  denied_rate: 'denied_rate',
} as const;

export type AuditResult = keyof typeof classes;
export type AuditResultClass = (typeof classes)[AuditResult];

export const auditResults = Object.keys(classes) as readonly AuditResult[];
export const auditResultClasses = ['success', 'denied_auth', 'denied_rate', 'error'] as const;

export function resultClass(result: AuditResult): AuditResultClass {
  return classes[result];
}

export function isResultClass(value: string): value is AuditResultClass {
  return auditResultClasses.some((one) => one === value);
}
