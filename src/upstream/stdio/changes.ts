import type { JsonObject } from '../../protocol/index.ts';
import { objectAt } from './child-message.ts';

export type ChangeKind = 'tools' | 'prompts' | 'resources';
export const changeKinds: readonly ChangeKind[] = ['tools', 'prompts', 'resources'];

/** Somebody who wants to hear of changes: a legacy session, or a `subscriptions/listen` that the gateway serves. */
export interface Subscriber {
  /** An idle child is not stopped under it. */
  readonly keepsChild: boolean;
  changed(kind: ChangeKind): void;
  /** `params` is the JSON text of the params of `notifications/resources/updated`. */
  updated(params: string): void;
}

/** Whether a child says that it announces changes of this list. */
export function announces(capabilities: JsonObject, kind: ChangeKind): boolean {
  return objectAt(capabilities, kind)['listChanged'] === true;
}

/** Whether a child says that it announces changes of single resources. */
export function canSubscribe(capabilities: JsonObject): boolean {
  return objectAt(capabilities, 'resources')['subscribe'] === true;
}
