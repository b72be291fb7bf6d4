/** How bad it is if it is what it looks like. */
export const severities = ['low', 'medium', 'high', 'critical'] as const;
export type Severity = (typeof severities)[number];

/**
 * What a rule may look at: fields of the audit record and of audit events under their own names, members of an event's
 * `data` as `data.NAME`, and `network`: the address cut to its network (IPv4 /24, IPv6 /48).
 */
export type Field =
  | 'issuer'
  | 'client_id'
  | 'subject'
  | 'address'
  | 'network'
  | 'token_id'
  | 'server'
  | 'tool_name'
  | 'arguments_hash'
  | 'scopes'
  | 'result'
  | 'reason'
  | 'event'
  | `data.${string}`;

/** One of these values, a value that begins so, or any value at all. */
export type Condition = readonly string[] | { readonly startsWith: string } | 'present';
export type Conditions = { readonly [Name in Field]?: Condition };

/** All conditions hold and no exception does. Calls are looked at when they have ended. */
export interface Match {
  readonly on: 'call' | 'event';
  readonly where: Conditions;
  readonly except?: Conditions;
}

/**
 * How matches become a detection.
 * `each`: one is enough. `count`: `count` of them within the window. `distinct`: `count` different values of a field.
 * `first`: a value that was never seen before for this key, in this run or an earlier one; with `baseline`, the values
 * of a key's first record are what it is measured against and are no detection.
 */
export type Shape =
  | { readonly kind: 'each' }
  | { readonly kind: 'count' }
  | { readonly kind: 'distinct'; readonly of: Field }
  | { readonly kind: 'first'; readonly of: readonly Field[]; readonly baseline: boolean };

/** A detection as data. `id` is stable: it is the audit event `detection.<id>` and a key of the configuration. */
export interface Rule {
  readonly id: string;
  readonly title: string;
  readonly severity: Severity;
  readonly matches: readonly Match[];
  readonly shape: Shape;
  /** What is counted apart; each list is a count of its own. A record without one of the fields does not count there. */
  readonly by: readonly (readonly Field[])[];
  /** 1 where one match is enough. */
  readonly count: number;
  /** The window of the count, and the time in which one key is told of once. */
  readonly withinMs: number;
  /** What an operator should think of, for docs/detections.md. */
  readonly advice: string;
}
