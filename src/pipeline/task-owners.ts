import { BoundedMap } from '../identity/index.ts';
import { isObject, type Json } from '../protocol/index.ts';
import type { IdentifiedCall } from './call.ts';

/** The oldest are forgotten beyond this: then a task is reached by whoever knows its id, as it is where nobody was told here. */
const mostTasks = 20_000;
const longestId = 512;

/**
 * Who was told of which task (2025-11-25 basic/utilities/tasks). A server over HTTP sees all callers as one and cannot tell whose
 * a task is, so a call that names one which somebody else was told of last is a call about no task. In this process.
 */
export class TaskOwners {
  readonly #owners = new BoundedMap<string>(mostTasks);

  /** @param json an answer to the call */
  note(call: IdentifiedCall, json: Json | undefined): void {
    const result = isObject(json) ? json['result'] : undefined;
    if (!isObject(result)) return;
    const { task = result } = result;
    const id = isObject(task) ? task['taskId'] : undefined;
    if (isId(id)) this.#owners.set(keyOf(call, id), call.principal.key);
  }

  /** Whether the call is about a task of somebody else. */
  isForeign(call: IdentifiedCall): boolean {
    const { operation, message, principal } = call;
    if (operation.kind !== 'task' || message?.kind !== 'request') return false;
    const id = message.params['taskId'];
    const owner = isId(id) ? this.#owners.get(keyOf(call, id)) : undefined;
    return owner !== undefined && owner !== principal.key;
  }
}

const isId = (id: unknown): id is string => typeof id === 'string' && id.length <= longestId;

const keyOf = ({ server }: IdentifiedCall, id: string): string => `${server.name} ${id}`;
