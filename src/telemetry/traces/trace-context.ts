/**
 * W3C Trace Context, level 1. Whoever sends a request chooses all of it, so nothing that is not exactly of the
 * standard's form is read, kept or passed on.
 */
export interface TraceParent {
  /** 32 lower-case hex digits, not all zero. */
  readonly traceId: string;
  /** 16 of them: the sender's span. */
  readonly spanId: string;
  readonly sampled: boolean;
}

/** Section 3.2.2: version 00 is this and nothing after it. */
const versionZero = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
/** Section 3.2.4: of a later version the same beginning counts; ff is none. */
const laterVersion = /^(?!00|ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-[!-~]{0,200})?$/;
const longestParent = 256;

/** @returns null for what is no traceparent, also for one that came twice */
export function parseTraceparent(value: unknown): TraceParent | null {
  if (typeof value !== 'string' || value.length > longestParent) return null;
  const [, traceId = '', spanId = '', flags = ''] = versionZero.exec(value) ?? laterVersion.exec(value) ?? [];
  if (/^0*$/.test(traceId) || /^0*$/.test(spanId)) return null;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

export function formatTraceparent({ traceId, spanId, sampled }: TraceParent): string {
  return `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`;
}

/** Section 3.3.1.3. What may stand in a value is printable ASCII without `,` and `=`: no line break, no control character. */
const stateKey = /^(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})$/;
const stateValue = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;
const mostMembers = 32;
/** Section 3.3.1.5: at least so much is passed on. We pass on no more. */
const longestState = 512;
/** The first to go where it is longer. */
const longMember = 128;
/** Beyond this nobody looks at it. */
const longestHeader = 8192;

/** @returns its members as they may be passed on, or null: one that is broken anywhere is worth nothing (section 3.3.1) */
export function parseTracestate(value: unknown): string | null {
  if (typeof value !== 'string' || value.length > longestHeader) return null;
  const keys = new Set<string>();
  const members: string[] = [];
  for (const part of value.split(',')) {
    const member = part.trim();
    if (member === '') continue;
    const at = member.indexOf('=');
    const key = member.slice(0, Math.max(at, 0));
    if (!stateKey.test(key) || !stateValue.test(member.slice(at + 1)) || keys.has(key)) return null;
    keys.add(key);
    members.push(member);
  }
  if (members.length > mostMembers) return null;
  const kept = shortened(members).join(',');
  return kept === '' ? null : kept;
}

function shortened(members: readonly string[]): readonly string[] {
  const lengthOf = (list: readonly string[]) => list.reduce((sum, member) => sum + member.length + 1, -1);
  if (lengthOf(members) <= longestState) return members;
  const kept = members.filter(({ length }) => length <= longMember);
  while (lengthOf(kept) > longestState) kept.pop();
  return kept;
}
