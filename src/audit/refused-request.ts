import type { AuditEvent } from './trail.ts';

/** A request that was answered, or cut off, with a refusal outside of the MCP endpoints. */
export interface RefusedRequest {
  readonly address: string;
  /** Of the answer; null where there was none. */
  readonly status: number | null;
  /** Why, where more is known than the status says. */
  readonly reason?: string | null;
  readonly method?: string | undefined;
  /** As it came, with or without a query. */
  readonly target?: string | undefined;
}

const reasons: Readonly<Record<number, string>> = {
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  405: 'method_not_allowed',
  413: 'body_too_large',
  429: 'too_many_requests',
};

/** The event of a refusal that no other event tells of. Strangers cause it: see bounded-events.ts. */
export function refusedRequest(request: RefusedRequest): Omit<AuditEvent, 'timestamp'> {
  const { address, status, method, target } = request;
  const reason = request.reason ?? reasonOf(status);
  return {
    event: 'http.refused',
    address,
    data: { reason, status, method: method ?? null, path: target === undefined ? null : pathOf(target) },
  };
}

function reasonOf(status: number | null): string {
  if (status === null) return 'cut_off';
  return reasons[status] ?? (status >= 500 ? 'internal_error' : 'bad_request');
}

const longestPath = 200;
/** Words, however long, and short things with figures. What else there is may be a key: some clients put theirs into the path. */
const harmless = /^(?:[a-z._-]{0,32}|.{0,10})$/i;

/** @param target attacker-controlled */
function pathOf(target: string): string {
  const [path = ''] = target.split('?', 1);
  const segments = path.slice(0, longestPath).split('/');
  return segments.map((segment) => (harmless.test(bare(segment)) ? segment : '*')).join('/');
}

/** Without what is escaped: `..%2f..%2fetc` is three words. */
function bare(segment: string): string {
  return segment.replaceAll(/%[0-9a-f]{2}/gi, '');
}
