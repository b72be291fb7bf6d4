import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { DpopSession, isDpopNonceChallenge } from '@modelcontextprotocol/client';
import {
  allScopes,
  callTool,
  modernCall,
  rawRequest,
  startTestGateway,
  type TestGateway,
  until,
} from '../gateway/support.ts';
import { startFixtureServer } from '../support/fixture-server/index.ts';
import { proofKey } from './proof.ts';

let gateway: TestGateway;
let upstream: Awaited<ReturnType<typeof startFixtureServer>>;
let session: DpopSession;
let strict: string;
let off: string;
let open: string;

before(async () => {
  upstream = await startFixtureServer({ port: 0 });
  const to = `upstream: { url: "${upstream.url}" }`;
  gateway = await startTestGateway({
    servers: [
      `  open: { path: /mcp, ${to} }`,
      `  strict: { path: /strict, dpop: required, dpopNonce: true, ${to} }`,
      `  off: { path: /off, dpop: 'off', ${to} }`,
    ].join('\n'),
    audience: ['/mcp', '/strict', '/off'],
  });
  open = gateway.url;
  strict = `${gateway.origin}/strict`;
  off = `${gateway.origin}/off`;
  session = await DpopSession.create();
});

after(async () => {
  await gateway.close();
  await upstream.close();
});

const bound = (aud: string, scope = allScopes) =>
  gateway.token(scope, { aud, cnf: { jkt: session.thumbprint } });

async function proven(url: string, token: string): Promise<Record<string, string>> {
  const dpop = await session.buildProof({ htm: 'POST', htu: url, accessToken: token });
  return { authorization: `DPoP ${token}`, dpop };
}

const echo = (url: string, headers: Record<string, string>) =>
  modernCall(url, null, {
    method: 'tools/call',
    params: { name: 'echo', arguments: { text: 'x' } },
    headers,
  });

describe('DPoP through the gateway, by the proofs of the SDK', () => {
  it('passes with a proof for each request', async () => {
    const token = await bound(open);
    for (let i = 0; i < 2; i++) assert.equal((await echo(open, await proven(open, token))).status, 200);
  });

  it('ends at 401 without one, with one that was used, and with one for another server', async () => {
    const token = await bound(open);
    const headers = await proven(open, token);
    assert.equal((await echo(open, headers)).status, 200);
    for (const bad of [
      headers,
      { authorization: headers['authorization'] ?? '' },
      { ...headers, dpop: (await proven(strict, token))['dpop'] ?? '' },
      { ...(await proven(open, token)), authorization: `Bearer ${token}` },
    ]) {
      const answer = await echo(open, bad);
      assert.equal(answer.status, 401);
      assert.match(answer.headers.get('www-authenticate') ?? '', /DPoP .*algs="ES256 /);
    }
  });

  it('says what was wrong in the challenge of the scheme that was used', async () => {
    const token = await bound(open);
    const challenge = async (headers: Record<string, string>) =>
      (await echo(open, headers)).headers.get('www-authenticate') ?? '';
    assert.match(await challenge({}), /^Bearer resource_metadata="[^"]+", scope="[^"]+", DPoP algs="/);
    assert.match(await challenge({ authorization: `Bearer ${token}` }), /^Bearer error="invalid_token"/);
    assert.match(
      await challenge({ authorization: `DPoP ${token}`, dpop: 'x' }),
      /^DPoP error="invalid_dpop_proof".*, Bearer resource_metadata=/,
    );
    const narrow = await bound(open, 'mcp:resources:read');
    const answer = await modernCall(open, null, {
      method: 'tools/call',
      params: { name: 'delete_note', arguments: {} },
      headers: await proven(open, narrow),
    });
    if (answer.status === 403)
      assert.match(answer.headers.get('www-authenticate') ?? '', /^DPoP error="insufficient_scope"/);
  });

  it('asks for its nonce, and takes the proof that has it', async () => {
    const token = await bound(strict);
    const first = await echo(strict, await proven(strict, token));
    assert.equal(first.status, 401);
    assert.ok(isDpopNonceChallenge(first));
    session.observeNonce(first, strict);
    const second = await echo(strict, await proven(strict, token));
    assert.equal(second.status, 200);
    assert.ok(second.headers.get('dpop-nonce'), 'the next one comes with the answer');
  });

  it('takes no bearer token where it is required, and no proof where it is off', async () => {
    const bearer = await callTool(strict, await gateway.token(allScopes, { aud: strict }), 'echo', {
      text: 'x',
    });
    assert.equal(bearer.status, 401);
    assert.match(bearer.headers.get('www-authenticate') ?? '', /^DPoP error="invalid_token"/);
    const refused = await echo(off, await proven(off, await bound(off)));
    assert.equal(refused.status, 401);
    assert.doesNotMatch(refused.headers.get('www-authenticate') ?? '', /DPoP/);
    const plain = await gateway.token(allScopes, { aud: off });
    assert.equal((await callTool(off, plain, 'echo', { text: 'x' })).status, 200);
  });

  it('says in its metadata what it takes', async () => {
    const read = async (path: string) =>
      (await (await fetch(`${gateway.origin}/.well-known/oauth-protected-resource${path}`)).json()) as Record<
        string,
        unknown
      >;
    const [usual, required, none] = [await read('/mcp'), await read('/strict'), await read('/off')];
    assert.ok((usual['dpop_signing_alg_values_supported'] as string[]).includes('ES256'));
    assert.equal(usual['dpop_bound_access_tokens_required'], undefined);
    assert.equal(required['dpop_bound_access_tokens_required'], true);
    assert.equal(none['dpop_signing_alg_values_supported'], undefined);
  });

  it('refuses two proofs and two Authorization headers, in any order', async () => {
    const own = await proofKey();
    const token = await gateway.token(allScopes, { cnf: { jkt: own.thumbprint } });
    const plain = await gateway.token(allScopes);
    const proof = () => own.proof({ htu: open, token });
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' });
    const send = (lines: string[]) =>
      rawRequest(
        gateway.port,
        [
          'POST /mcp HTTP/1.1',
          `Host: 127.0.0.1:${gateway.port}`,
          'Content-Type: application/json',
          'Accept: application/json, text/event-stream',
          'MCP-Protocol-Version: 2025-06-18',
          'Connection: close',
          `Content-Length: ${body.length}`,
          ...lines,
          '',
          body,
        ].join('\r\n'),
      );
    const good = [`Authorization: DPoP ${token}`];
    assert.match(await send([...good, `DPoP: ${await proof()}`]), /Session required/, 'the upstream answers');
    for (const lines of [
      [...good, `DPoP: ${await proof()}`, `DPoP: ${await proof()}`],
      [...good, `DPoP: ${await proof()}`, 'dpop: x'],
      [...good, 'DPoP:', `DPoP: ${await proof()}`],
      [...good, `Authorization: Bearer ${plain}`, `DPoP: ${await proof()}`],
      [`Authorization: Bearer ${plain}`, ...good, `DPoP: ${await proof()}`],
      [`Authorization: Bearer ${plain}`, `authorization: Bearer ${plain}`],
    ]) {
      assert.match(await send(lines), /^HTTP\/1.1 400 [\s\S]*came more than once/, lines.join());
    }
  });

  it('is in the record, without the proof', async () => {
    await until(async () => {
      const records = await gateway.records();
      const reasons = new Set(records.map(({ reason }) => reason));
      for (const reason of ['ok', 'token_binding', 'proof_invalid', 'proof_nonce'] as const)
        assert.ok(reasons.has(reason), `no record says ${reason}`);
      assert.doesNotMatch(JSON.stringify(records), /eyJ/);
    });
  });
});
