import type { JsonObject, MirroredParameter } from '../protocol/index.ts';
import type { CallerView } from './conditions/index.ts';

/** What a call would do, as policy sees it. Made from the body, never from headers. */
export type Operation =
  | { readonly kind: 'tool'; readonly name: string; readonly arguments: JsonObject }
  | { readonly kind: 'tools' } // tools/list
  | { readonly kind: 'resource'; readonly uri: string } // read, subscribe, unsubscribe
  | { readonly kind: 'resources' } // list, templates/list
  | { readonly kind: 'prompt'; readonly name: string }
  | { readonly kind: 'prompts' }
  | { readonly kind: 'completion'; readonly of: 'prompt' | 'resource' }
  | {
      readonly kind: 'listen';
      readonly tools: boolean;
      readonly prompts: boolean;
      readonly resources: boolean;
    }
  | { readonly kind: 'task' } // tasks/* of 2025-11-25
  | { readonly kind: 'session' } // lifecycle: initialize, ping, discover, notifications, responses, GET, DELETE
  | { readonly kind: 'unknown'; readonly method: string };

/** Who asks, and when: what conditions may depend on beside the tool and the arguments. */
export interface Asking {
  readonly caller: CallerView;
  /** Milliseconds since the Unix epoch: when the request came. */
  readonly now: number;
}

/** What the upstream says of one of its tools. Untrusted: hints are claims of the server. */
export interface ToolFacts {
  readonly name: string;
  readonly readOnlyHint?: boolean;
  readonly destructiveHint?: boolean;
  readonly idempotentHint?: boolean;
  readonly openWorldHint?: boolean;
  /** `inputSchema` as JSON text; absent where the definition has none. */
  readonly inputSchema?: string;
  /** `x-mcp-header` annotations: header name portion (lower case) → property path in the arguments. */
  readonly headerParameters?: readonly MirroredParameter[];
}

/** Pure outcome of policy. `rule` names what decided. */
export type Decision =
  | {
      readonly allow: true;
      readonly rule: string;
      readonly scopes: readonly string[];
      readonly confirm: 'self' | 'other' | null;
      /** Counted per server and tool. */
      readonly limit: ToolLimit | null;
      /** By the tool's hints, the spec's defaults for absent ones; false for what is no tool. */
      readonly destructive: boolean;
    }
  | {
      readonly allow: false;
      readonly rule: string;
      readonly code:
        | 'scope_missing'
        | 'policy_denied'
        | 'policy_undecided'
        | 'unknown_tool'
        | 'unknown_method';
      /** The caller knows of the tool from its list; otherwise the answer must be that of a tool that is not there. */
      readonly known: boolean;
      /** On `scope_missing`: scopes to ask for: those granted that we know, then the missing ones. */
      readonly scopes: readonly string[];
      readonly required: readonly string[];
      /** For the record: why a condition could not be decided, without anything that the caller sent. */
      readonly detail?: string;
    };

/** `{ each: 60/min, total: 600/min }`. All of them hold; an empty list limits nothing. */
export interface ToolLimit {
  /** For each caller. */
  readonly each: readonly RateLimit[];
  /** For all callers together, whatever their organization. */
  readonly total: readonly RateLimit[];
}

/** What the audit record keeps of the arguments of a tool's calls. */
export interface ToolCapture {
  readonly as: 'none' | 'hash' | 'redacted' | 'encrypted';
  /** `redacted` keeps what is named and no more; `encrypted` keeps all but what is named. Empty for the others. */
  readonly fields: readonly FieldRule[];
}

/** One field of the arguments; where several meet, the longest path counts, then the one that shows least. */
export interface FieldRule {
  /** Members and items from the arguments inwards; `*` is any of them. */
  readonly path: readonly string[];
  readonly how: 'keep' | 'drop' | 'hash' | 'mask';
}

/** `60/min`: `count` calls per `periodMs`, all of which may come at once (burst = count unless given). */
export interface RateLimit {
  readonly count: number;
  readonly periodMs: number;
  readonly burst: number;
}
