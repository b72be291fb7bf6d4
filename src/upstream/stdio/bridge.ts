import {
  type Era,
  editMeta,
  editObject,
  isObjectText,
  type JsonObject,
  type ObjectEdit,
} from '../../protocol/index.ts';
import type { ChildMessage } from './child-message.ts';
import { gatewayInfo, type Peer } from './handshake.ts';
import { cacheableMethods, metaKeys } from './revisions.ts';

/** Who speaks with whom in one call. */
export interface Parties {
  readonly client: Era;
  readonly peer: Peer;
  /** What a legacy client said in `initialize`; null for modern clients. */
  readonly session: ClientDeclaration | null;
  /** The child is shared: what would tie it to one caller is taken out. */
  readonly shared: boolean;
}

export interface ClientDeclaration {
  readonly clientInfo: JsonObject;
  readonly capabilities: JsonObject;
  readonly logLevel: string | null;
}

const requestMeta: ReadonlySet<string> = new Set([
  metaKeys.protocolVersion,
  metaKeys.clientInfo,
  metaKeys.clientCapabilities,
  metaKeys.logLevel,
]);

/**
 * JSON text of `params` as the child gets it: the client's text with `_meta` in the child's era and the progress
 * token replaced by `token`.
 */
export function paramsForChild(raw: string | null, parties: Parties, token: number | null): string | null {
  const set: [string, string][] = parties.client === 'legacy' ? modernMeta(parties) : [];
  if (token !== null) set.push(['progressToken', String(token)]);
  if (raw === null && set.length === 0) return null;
  const remove = parties.peer.era === 'legacy' ? (key: string) => requestMeta.has(key) : () => false;
  const text = editMeta(raw ?? '{}', { remove, set });
  const dropsTask = parties.shared && parties.peer.era === 'legacy';
  // without the capability `tasks` a receiver ignores `task` (2025-11-25 basic/utilities/tasks)
  return dropsTask ? editObject(text, { remove: (key) => key === 'task' }) : text;
}

/** Capabilities of a legacy client that the gateway can serve towards a child. */
export function servableCapabilities(declared: JsonObject): JsonObject {
  const served = ['elicitation', 'roots', 'sampling'];
  return Object.fromEntries(Object.entries(declared).filter(([name]) => served.includes(name)));
}

/** JSON text of a result as the client gets it. */
export function resultForClient(message: ChildMessage, method: string, parties: Parties): string {
  const raw = message.raw('result') ?? '{}';
  if (parties.client === parties.peer.era || !isObjectText(raw)) return raw;
  if (parties.client === 'legacy') return editObject(raw, withoutModernMembers);
  const set: [string, string][] = [['resultType', '"complete"']];
  if (cacheableMethods.has(method)) set.push(['ttlMs', '0'], ['cacheScope', '"private"']);
  const identified = editMeta(raw, {
    set: [[metaKeys.serverInfo, JSON.stringify(parties.peer.serverInfo)]],
  });
  return editObject(identified, { set });
}

/** JSON text and code of an error as the client gets it. */
export function errorForClient(message: ChildMessage, parties: Parties): { text: string; code: unknown } {
  const raw = message.raw('error') ?? 'null';
  const code = message.content['code'] ?? null;
  const replacement = parties.client === 'modern' ? retiredCodes.get(code) : undefined;
  if (replacement === undefined || !isObjectText(raw)) return { text: raw, code };
  return { text: editObject(raw, { set: [['code', String(replacement)]] }), code: replacement };
}

/** Codes of earlier revisions that must not be sent in 2026-07-28 (basic, section Error Codes). */
const retiredCodes: ReadonlyMap<unknown, number> = new Map([
  [-32002, -32602],
  [-32042, -32603],
]);

const withoutModernMembers: ObjectEdit = {
  remove: (key) => key === 'resultType' || key === 'ttlMs' || key === 'cacheScope',
};

/** `name` and `version` are required, and a legacy client may have left them out. */
function identity(session: ClientDeclaration | null): JsonObject {
  return { ...gatewayInfo, ...session?.clientInfo };
}

function modernMeta({ peer, session }: Parties): [string, string][] {
  if (peer.era === 'legacy') return [];
  const meta: [string, string][] = [
    [metaKeys.protocolVersion, JSON.stringify(peer.revision)],
    [metaKeys.clientInfo, JSON.stringify(identity(session))],
    [metaKeys.clientCapabilities, JSON.stringify(servableCapabilities(session?.capabilities ?? {}))],
  ];
  if (session?.logLevel) meta.push([metaKeys.logLevel, JSON.stringify(session.logLevel)]);
  return meta;
}
