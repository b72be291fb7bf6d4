import type { JsonObject } from '../../protocol/index.ts';
import { objectAt } from './child-message.ts';
import type { Peer } from './handshake.ts';
import { latestLegacyRevision, legacyRevisions, metaKeys, modernRevision } from './revisions.ts';

/** The extension under which revision 2026-07-28 has tasks. */
const tasksExtension = 'io.modelcontextprotocol/tasks';

/** What a child offers, without what a shared child cannot offer to one caller alone: its log and its tasks. */
function offeredCapabilities(peer: Peer, shared: boolean): JsonObject {
  return shared ? withoutPersonal(peer.capabilities) : { ...peer.capabilities };
}

export function withoutPersonal(capabilities: JsonObject): JsonObject {
  const { logging: _, tasks: __, ...rest } = capabilities;
  const { [tasksExtension]: tasks, ...extensions } = objectAt(rest, 'extensions');
  return tasks === undefined ? rest : { ...rest, extensions };
}

/** The answer to `initialize` of a legacy client, from what the child said when it started. */
export function initializeResult(peer: Peer, requested: unknown, shared: boolean): JsonObject {
  return {
    protocolVersion: negotiate(requested),
    capabilities: offeredCapabilities(peer, shared),
    serverInfo: named(peer.serverInfo),
    ...(peer.instructions === null ? {} : { instructions: peer.instructions }),
  };
}

/** 2025-11-25 basic/lifecycle, section Version Negotiation. */
function negotiate(requested: unknown): string {
  const known = typeof requested === 'string' && legacyRevisions.includes(requested);
  return known ? requested : latestLegacyRevision;
}

/** The answer to `server/discover` for a legacy child. */
export function discoverResult(peer: Peer, shared: boolean): JsonObject {
  return {
    resultType: 'complete',
    supportedVersions: [modernRevision],
    capabilities: offeredCapabilities(peer, shared),
    ...(peer.instructions === null ? {} : { instructions: peer.instructions }),
    _meta: { [metaKeys.serverInfo]: named(peer.serverInfo) },
    ttlMs: 0,
    cacheScope: 'private',
  };
}

/** `name` and `version` are required of a server's identity, and a modern child may leave all of it out. */
function named(serverInfo: JsonObject): JsonObject {
  return { name: 'unknown', version: '0', ...serverInfo };
}
