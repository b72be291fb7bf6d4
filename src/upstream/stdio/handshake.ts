import type { Era, JsonObject } from '../../protocol/index.ts';
import { type ChildMessage, objectAt } from './child-message.ts';
import type { Connection } from './connection.ts';
import { isModern, latestLegacyRevision, metaKeys, modernRevision } from './revisions.ts';

/** What a child said about itself. All of it is the child's claim. */
export interface Peer {
  readonly era: Era;
  readonly revision: string;
  readonly capabilities: JsonObject;
  readonly serverInfo: JsonObject;
  readonly instructions: string | null;
}

export interface HandshakeOptions {
  readonly protocol: 'auto' | 'modern' | 'legacy';
  /** Declared to a legacy child in `initialize`. */
  readonly clientCapabilities: JsonObject;
  readonly probeTimeoutMs: number;
}

export const gatewayInfo = { name: 'portcullis', version: '0.1.0' };

const modernErrors = [-32020, -32021, -32022];

/**
 * Finds out the era of a child and opens a legacy one (2026-07-28 stdio, section Backward Compatibility).
 * Rejects with ConnectionLost when the child ends, and with an Error when it refuses.
 */
export async function handshake(connection: Connection, options: HandshakeOptions): Promise<Peer> {
  if (options.protocol === 'legacy') return initialize(connection, options);
  const probe = discover(connection, modernRevision);
  if (options.protocol === 'modern') return required(await probe);
  const early = await Promise.race([probe, silence(options.probeTimeoutMs)]);
  if (early === 'legacy') return initialize(connection, options);
  if (early !== 'silent') return early;
  const initialized = initialize(connection, options);
  // a child that starts slowly may yet answer the probe: it reads that before `initialize`
  const late = probe.then((peer) => (peer === 'legacy' ? initialized : peer));
  return Promise.any([late, initialized]).catch(() => initialized);
}

async function discover(connection: Connection, revision: string): Promise<Peer | 'legacy'> {
  const answer = await connection.request('server/discover', JSON.stringify({ _meta: ownMeta(revision) }));
  if (!answer.isError) return modernPeer(answer, revision);
  if (!modernErrors.includes(Number(answer.content['code']))) return 'legacy';
  const supported = supportedBy(objectAt(answer.content, 'data')['supported']);
  const other = supported.findLast((candidate) => isModern(candidate));
  if (other !== undefined && other !== revision && revision === modernRevision) {
    return discover(connection, other);
  }
  if (supported.length > 0 && other === undefined) return 'legacy';
  throw new Error('the child refuses every revision that the gateway speaks');
}

function modernPeer(answer: ChildMessage, revision: string): Peer | 'legacy' {
  const supported = supportedBy(answer.content['supportedVersions']);
  // a legacy server that answers anything to an unknown method has no such member
  if (supported.length === 0) return 'legacy';
  const modern = supported.filter(isModern);
  if (modern.length === 0) return 'legacy';
  const { instructions } = answer.content;
  return {
    era: 'modern',
    revision: modern.includes(revision) ? revision : (modern.at(-1) ?? revision),
    capabilities: objectAt(answer.content, 'capabilities'),
    serverInfo: objectAt(objectAt(answer.content, '_meta'), metaKeys.serverInfo),
    instructions: typeof instructions === 'string' ? instructions : null,
  };
}

async function initialize(connection: Connection, options: HandshakeOptions): Promise<Peer> {
  const { clientCapabilities } = options;
  const params = {
    protocolVersion: latestLegacyRevision,
    capabilities: clientCapabilities,
    clientInfo: gatewayInfo,
  };
  const answer = await connection.request('initialize', JSON.stringify(params));
  const { protocolVersion, instructions } = answer.content;
  if (answer.isError || typeof protocolVersion !== 'string') {
    throw new Error('the child refused initialize');
  }
  connection.notify('notifications/initialized', null);
  return {
    era: 'legacy',
    revision: protocolVersion,
    capabilities: objectAt(answer.content, 'capabilities'),
    serverInfo: objectAt(answer.content, 'serverInfo'),
    instructions: typeof instructions === 'string' ? instructions : null,
  };
}

function required(peer: Peer | 'legacy'): Peer {
  if (peer === 'legacy')
    throw new Error('the child does not speak 2026-07-28, which `protocol: modern` asks for');
  return peer;
}

function ownMeta(revision: string): JsonObject {
  return {
    [metaKeys.protocolVersion]: revision,
    [metaKeys.clientInfo]: gatewayInfo,
    [metaKeys.clientCapabilities]: {},
  };
}

function supportedBy(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string').slice(0, 50) : [];
}

function silence(ms: number): Promise<'silent'> {
  return new Promise((resolve) => setTimeout(() => resolve('silent'), ms).unref());
}
