import type { Operation } from '../policy/index.ts';
import { isObject, type JsonObject, type Message } from '../protocol/index.ts';

type Reader = (params: JsonObject) => Operation;

const session: Operation = { kind: 'session' };
const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/**
 * Every method that a client may send, in any revision. What is not here is refused: `tasks/list` too, because the upstream sees
 * all callers as one and would list everybody's. A task is reached by its id, by whom it was told to: `task-owners.ts`.
 */
const requests: Readonly<Record<string, Reader>> = {
  initialize: () => session,
  ping: () => session,
  'server/discover': () => session,
  'logging/setLevel': () => session,
  'tools/list': () => ({ kind: 'tools' }),
  'tools/call': (params) => ({
    kind: 'tool',
    name: text(params['name']),
    arguments: isObject(params['arguments']) ? params['arguments'] : {},
  }),
  'resources/list': () => ({ kind: 'resources' }),
  'resources/templates/list': () => ({ kind: 'resources' }),
  'resources/read': (params) => ({ kind: 'resource', uri: text(params['uri']) }),
  'resources/subscribe': (params) => ({ kind: 'resource', uri: text(params['uri']) }),
  'resources/unsubscribe': (params) => ({ kind: 'resource', uri: text(params['uri']) }),
  'prompts/list': () => ({ kind: 'prompts' }),
  'prompts/get': (params) => ({ kind: 'prompt', name: text(params['name']) }),
  'completion/complete': completion,
  'subscriptions/listen': listen,
  'tasks/get': () => ({ kind: 'task' }),
  'tasks/result': () => ({ kind: 'task' }),
  'tasks/cancel': () => ({ kind: 'task' }),
};

const notifications: ReadonlySet<string> = new Set([
  'notifications/initialized',
  'notifications/cancelled',
  'notifications/progress',
  'notifications/roots/list_changed',
  'notifications/tasks/status',
]);

/** Whether MCP has it, in any revision: a list that no caller can add to. */
export function isKnownMethod(method: string): boolean {
  return Object.hasOwn(requests, method) || notifications.has(method);
}

/** What the body says the call would do. GET and DELETE (null) concern the caller's own session. */
export function operationOf(message: Message | null): Operation {
  if (message === null || message.kind === 'response') return session;
  if (message.kind === 'notification') {
    return notifications.has(message.method) ? session : { kind: 'unknown', method: message.method };
  }
  const reader = Object.hasOwn(requests, message.method) ? requests[message.method] : undefined;
  return reader ? reader(message.params) : { kind: 'unknown', method: message.method };
}

/** What a policy reads as no arguments at all, and a server might read as some. */
export function hasOddArguments(message: Message): boolean {
  if (message.kind !== 'request' || message.method !== 'tools/call') return false;
  const { arguments: args } = message.params;
  return args !== undefined && !isObject(args);
}

function completion(params: JsonObject): Operation {
  const ref = params['ref'];
  const type = isObject(ref) ? ref['type'] : undefined;
  // An unknown reference needs what the stricter of the two needs: policy sees a resource.
  return { kind: 'completion', of: type === 'ref/prompt' ? 'prompt' : 'resource' };
}

function listen(params: JsonObject): Operation {
  const wanted = isObject(params['notifications']) ? params['notifications'] : {};
  const has = (name: string): boolean => wanted[name] !== undefined && wanted[name] !== false;
  return {
    kind: 'listen',
    tools: has('toolsListChanged'),
    prompts: has('promptsListChanged'),
    resources: has('resourcesListChanged') || has('resourceSubscriptions'),
  };
}
