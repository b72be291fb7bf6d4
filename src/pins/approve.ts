import type { Candidate, Pin, PinStore } from './store.ts';

/** What an approval did. */
export type Approval =
  /** The definition that was kept back is the pin now, or one more that may be shown. */
  | { readonly done: 'approved'; readonly hash: string; readonly before: string | null }
  /** The pinned definition stays, and the tool is free again. */
  | { readonly done: 'kept'; readonly hash: string }
  | { readonly done: null; readonly problem: 'nothing_held' | 'another_hash' };

export interface ApprovalRequest {
  readonly server: string;
  readonly tool: string;
  /** Of the definition that somebody looked at. */
  readonly hash: string;
  readonly by: string;
  /** RFC 3339. */
  readonly at: string;
}

/**
 * Approves exactly one definition: the one with this hash. What a server says after it was shown is another one, and stays where it is.
 * One transaction, so that a gateway that writes at the same moment comes before or behind it.
 */
export function approve(store: PinStore, request: ApprovalRequest): Approval {
  return store.transaction(() => {
    const { server, tool, hash } = request;
    const held = store.candidates(server).filter((one) => one.tool === tool);
    const pin = store.pins(server).find((one) => one.tool === tool);
    if (held.length === 0) return { done: null, problem: 'nothing_held' };
    const wanted = held.filter(({ definition }) => definition?.hash === hash);
    if (wanted.length > 0) return take(store, request, { wanted, pin });
    if (pin?.definition.hash === hash) {
      for (const { caller } of held) store.release(server, tool, caller);
      return { done: 'kept', hash };
    }
    return { done: null, problem: 'another_hash' };
  });
}

function take(
  store: PinStore,
  { server, tool, hash, by, at }: ApprovalRequest,
  { wanted, pin }: { wanted: readonly Candidate[]; pin: Pin | undefined },
): Approval {
  const definition = wanted[0]?.definition;
  if (!definition) return { done: null, problem: 'nothing_held' };
  store.approve(server, tool, hash);
  // One caller's own list does not say what the others' should be like.
  if (pin === undefined || wanted.some(({ caller }) => caller === ''))
    store.pin({ server, tool, definition, by, at });
  for (const { caller } of wanted) store.release(server, tool, caller);
  return { done: 'approved', hash, before: pin?.definition.hash ?? null };
}
