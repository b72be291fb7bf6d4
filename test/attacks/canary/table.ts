import { randomBytes, randomUUID } from 'node:crypto';
import type { RefusalCode } from '../../../src/base/index.ts';
import { proofKey } from '../../identity/proof.ts';
import { until, type World } from './world.ts';

/** How a request is made that is refused for this reason, or why none is. */
export type Row = ((world: World) => Promise<unknown>) | { readonly elsewhere: string };

/** With a good token and a tool. */
const call =
  (tool: string, args: Record<string, unknown> = {}) =>
  async (world: World) =>
    world.send({ tool, args, token: await world.token() });

/** With a token that is like this. */
const token =
  (claims: (world: World) => Record<string, unknown>, header: Record<string, unknown> = {}) =>
  async (world: World) =>
    world.send({ token: await world.token(claims(world), header) });

const seconds = () => Math.floor(Date.now() / 1000);

/** Two at a time: a caller may have three. */
async function burn(count: number, send: () => Promise<unknown>): Promise<void> {
  for (let number = 0; number < count; number += 2) await Promise.all([send(), send()]);
}

/** The compiler asks for a row for each code of base/refusal.ts. */
export const refusalTable: Readonly<Record<RefusalCode, Row>> = {
  malformed_request: async (world) => {
    const [first, second] = [world.canaries.make('a token'), world.canaries.make('a token')];
    await world.raw(
      `POST /main/mcp HTTP/1.1\r\nHost: 127.0.0.1:${world.port}\r\nAuthorization: Bearer ${first}\r\nAuthorization: Bearer ${second}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
    );
    // And what is no HTTP at all.
    await world.raw(`POST /main/mcp HTTP/1.1\r\nHost: x\r\nBad Header ${first}: ${second}\r\n\r\n`);
  },
  malformed_json: async (world) =>
    world.send({
      token: await world.token(),
      body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"password":"${world.canaries.make('broken JSON')}"`,
    }),
  malformed_message: async (world) =>
    world.send({
      token: await world.token(),
      body: JSON.stringify({ jsonrpc: '1.0', secret: world.canaries.make('no message') }),
    }),
  body_too_large: async (world) =>
    world.send({
      token: await world.token(),
      args: { big: world.canaries.make('a large body').repeat(2_000) },
    }),
  header_mismatch: async (world) =>
    world.send({
      token: await world.token(),
      headers: { 'mcp-name': world.canaries.make('Mcp-Name') },
    }),
  unsupported_version: async (world) =>
    world.send({
      token: await world.token(),
      message: { method: 'ping' },
      headers: { 'mcp-protocol-version': '1999-01-01' },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'ping',
        params: {
          _meta: { 'io.modelcontextprotocol/protocolVersion': '1999-01-01' },
          secret: world.canaries.make('params'),
        },
      }),
    }),
  unsupported_media_type: async (world) =>
    world.send({
      token: await world.token(),
      headers: { 'content-type': `multipart/form-data; boundary=${world.canaries.make('Content-Type')}` },
    }),
  not_acceptable: async (world) =>
    world.send({
      httpMethod: 'GET',
      token: await world.token(),
      headers: {
        'mcp-protocol-version': '2025-11-25',
        'mcp-method': null,
        'mcp-name': null,
        'content-type': null,
        accept: `text/${world.canaries.make('Accept')}`,
      },
    }),
  method_not_allowed: async (world) => world.send({ httpMethod: 'PUT', token: await world.token() }),
  origin_denied: async (world) =>
    world.send({
      token: await world.token(),
      headers: { origin: `https://${world.canaries.make('Origin').toLowerCase()}.example` },
    }),
  host_denied: { elsewhere: 'no proxy may be trusted: the second gateway' },

  token_missing: (world) => world.send(),
  token_malformed: async (world) => {
    await world.send({ token: world.canaries.make('a token that is none') });
    await world.send({
      scheme: 'Basic',
      token: Buffer.from(`user:${world.canaries.make('Basic')}`).toString('base64'),
    });
  },
  token_signature: async (world) => {
    const good = await world.token();
    await world.send({ token: `${good.slice(0, -6)}AAAAAA` });
  },
  token_expired: token(() => ({ exp: seconds() - 600, iat: seconds() - 900 })),
  token_not_yet_valid: token(() => ({ nbf: seconds() + 600 })),
  token_issuer: token(({ canaries }) => ({ iss: `https://${canaries.make('iss')}.example` })),
  // Whom it was meant for is on record, of a token whose signature holds: it says where it was taken from.
  token_audience: token(() => ({ aud: 'https://other.example/mcp' })),
  token_type: token(() => ({}), { typ: 'id_token+jwt' }),
  token_revoked: async (world) => {
    const jti = randomUUID();
    const revoked = await world.token({ jti });
    await world.command('revoke', 'jti', jti, '--data', world.data);
    await until(async () => {
      if ((await world.send({ token: revoked })).status !== 401) throw new Error('not yet');
    }, 10_000);
  },
  token_claims: token(({ canaries }) => ({ sub: undefined, note: canaries.make('a claim') })),
  token_key_ended: (world) => world.send({ token: world.staticKey }),
  token_binding: token(() => ({ cnf: { jkt: randomBytes(32).toString('base64url') } })),
  proof_invalid: async (world) => {
    const key = await proofKey();
    const bound = await world.token({ aud: world.url('dpop'), cnf: { jkt: key.thumbprint } });
    await world.send({
      server: 'dpop',
      scheme: 'DPoP',
      token: bound,
      headers: { dpop: world.canaries.make('a proof') },
    });
    const proof = await key.proof({ htu: `https://${world.canaries.make('htu')}.example/`, token: bound });
    world.canaries.add('a proof', proof.split('.')[2] ?? '');
    await world.send({ server: 'dpop', scheme: 'DPoP', token: bound, headers: { dpop: proof } });
  },
  proof_nonce: async (world) => {
    const key = await proofKey();
    const bound = await world.token({ aud: world.url('nonce'), cnf: { jkt: key.thumbprint } });
    const nonce = world.canaries.make('a nonce that is not ours');
    const proof = await key.proof({ htu: world.url('nonce'), token: bound }, { claims: { nonce } });
    await world.send({ server: 'nonce', scheme: 'DPoP', token: bound, headers: { dpop: proof } });
  },
  proof_unavailable: { elsewhere: 'Redis is away: the second gateway' },
  issuer_unavailable: async (world) => {
    const asked = await world.deadIssuer.sign({
      aud: world.url('main'),
      note: world.canaries.make('a claim'),
    });
    world.canaries.add('a token', asked.split('.')[2] ?? '');
    await world.send({ token: asked });
  },

  scope_missing: call('writes'),
  policy_denied: call('loose'),
  policy_undecided: async (world) =>
    call('undecided', { amount: world.canaries.make('an argument of the wrong type') })(world),
  tool_quarantined: async (world) => {
    await call('drift')(world);
    world.upstream.drift();
    const reader = await world.token();
    await until(async () => {
      await world.send({ token: reader, message: { method: 'tools/list' } });
      if (!/quarantine/.test(world.running.stderr())) throw new Error('not yet');
    }, 10_000);
    await call('drift')(world);
  },
  arguments_invalid: async (world) =>
    call('strict', { n: world.canaries.make('an argument of the wrong type') })(world),
  arguments_unchecked: call('unchecked'),
  // The name of a tool is recorded: it is what was asked for. What it is called with is not.
  unknown_tool: call('no_such_tool'),
  unknown_method: async (world) =>
    world.send({
      token: await world.token(),
      message: { method: 'tools/destroy', params: { secret: world.canaries.make('params') } },
    }),
  task_unknown: async (world) => {
    await world.send({ token: await world.token(), tool: 'task' });
    await world.send({
      token: await world.token(),
      message: { method: 'tasks/get', params: { taskId: 'task-1', secret: world.canaries.make('params') } },
    });
  },
  session_unknown: async (world) =>
    world.send({
      token: await world.token(),
      headers: {
        'mcp-protocol-version': '2025-11-25',
        'mcp-session-id': world.canaries.make('a session id'),
        'mcp-method': null,
        'mcp-name': null,
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/list',
        params: { secret: world.canaries.make('params') },
      }),
    }),
  stopped: async (world) => {
    await world.command(
      'stop',
      'tool',
      'stopped',
      '--server',
      'main',
      '--reason',
      'test',
      '--data',
      world.data,
    );
    await until(async () => {
      await call('stopped')(world);
      if (!world.reasons().includes('stopped')) throw new Error('not yet');
    }, 10_000);
  },
  stops_unavailable: { elsewhere: 'their file is overwritten: the second gateway' },

  limit_client: async (world) => {
    const busy = await world.token();
    await burn(60, () => world.send({ token: busy, tool: 'tool_error' }));
  },
  limit_tool: async (world) => {
    const busy = await world.token();
    for (let number = 0; number < 3; number += 1) await world.send({ token: busy, tool: 'limited' });
  },
  limit_organization: async (world) => {
    await burn(90, async () => world.send({ token: await world.token({ org: 'acme' }) }));
  },
  limit_address: async (world) => {
    await burn(70, () =>
      world.send({ token: world.canaries.make('a token that is none'), address: '198.51.100.9' }),
    );
  },
  limit_concurrency: async (world) => {
    const busy = await world.token();
    await Promise.all([1, 2, 3, 4, 5].map(() => world.send({ token: busy, tool: 'slow' })));
  },
  limit_loop: async (world) => {
    const busy = await world.token();
    const args = { secret: world.canaries.make('the same argument again') };
    for (let number = 0; number < 7; number += 1) await world.send({ token: busy, args });
  },
  limits_unavailable: { elsewhere: 'Redis is away: the second gateway' },
  confirmation_unavailable: call('confirmed'),

  upstream_unavailable: async (world) => {
    const scope = 'mcp:tools:write';
    await world.send({
      server: 'down',
      tool: 'writes',
      token: await world.token({ aud: world.url('down'), scope }),
    });
    await call('status')(world);
  },
  upstream_timeout: call('slow'),
  upstream_invalid: call('garbage'),
  upstream_not_connected: async (world) =>
    world.send({ server: 'own', token: await world.token({ aud: world.url('own') }) }),
  audit_unavailable: { elsewhere: 'the store is locked: the second gateway' },
  shutting_down: { elsewhere: 'it ends the gateway: the end of the second one' },
  internal_error: {
    elsewhere:
      'a fault of ours; no request is known that causes one. Its detail goes through the list of base/redact.ts',
  },
};
