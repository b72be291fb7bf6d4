import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { Secret, systemClock } from '../../src/base/index.ts';
import { createDoor, type DoorOptions } from '../../src/check/door.ts';
import { evidenceOf } from '../../src/check/evidence.ts';

async function listening(t: TestContext, server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const token = { name: 'good', secret: new Secret('opaque-token-that-nobody-else-may-see') };

function door(target: string, more: Partial<DoorOptions> = {}) {
  return createDoor({
    target: new URL(target),
    isPrivate: true,
    secrets: [token],
    clock: systemClock,
    paceMs: 0,
    deadline: Number.POSITIVE_INFINITY,
    userAgent: 'test',
    ...more,
  });
}

describe('the door', () => {
  it('lets no token out but to the URL that was typed', async () => {
    const ask = door('https://mcp.example.com/mcp').ask;
    const secret = token.secret.reveal();
    for (const request of [
      { url: 'https://evil.example/mcp', token },
      { url: 'https://mcp.example.com/other', token },
      { url: 'http://mcp.example.com/mcp', token },
      { url: 'https://mcp.example.com:444/mcp', token },
      { path: '/other', token },
      { url: `https://evil.example/?t=${secret}` },
      { url: 'https://evil.example/', headers: [['X-Token', secret] as const] },
      { url: 'https://evil.example/', body: secret },
    ])
      await assert.rejects(ask(request), /must not be sent/, JSON.stringify(request));
  });

  it('sends no token over plain http to a public address', async () => {
    const { ask } = door('http://mcp.example.com/mcp', { isPrivate: false });
    await assert.rejects(ask({ token }), /plain http/);
  });

  it('follows no redirect', async (t) => {
    let asked = 0;
    const listener: RequestListener = (_request, response) => {
      asked += 1;
      response.writeHead(307, { location: '/again' }).end();
    };
    const origin = await listening(t, createServer(listener));
    const exchange = await door(`${origin}/mcp`).ask({ token, method: 'GET' });
    assert.deepEqual([exchange.status, asked], [307, 1]);
  });

  it('asks nothing private, and nothing by http, that a public server names', async () => {
    const { ask } = door('https://mcp.example.com/mcp', { isPrivate: false });
    for (const [url, why] of [
      ['https://127.0.0.1/keys', /not a public address/],
      ['https://169.254.169.254/latest/meta-data', /not a public address/],
      ['https://[::1]/keys', /not a public address/],
      ['https://localhost/keys', /not a public address/],
      ['http://issuer.example.com/keys', /only https/],
      ['file:///etc/passwd', /not asked/],
      ['https://a:b@issuer.example.com/', /credentials/],
    ] as const)
      assert.match((await ask({ url, method: 'GET' })).failure ?? 'none', why, url);
  });

  it('is not held by slow headers, endless bodies or single bytes', { timeout: 20_000 }, async (t) => {
    const slow = await listening(
      t,
      createTcpServer((socket) => void socket.on('error', () => {})),
    );
    const quiet = await door(`${slow}/mcp`).ask({ method: 'GET', timeoutMs: 300 });
    assert.equal(quiet.status, 0);
    const endless: RequestListener = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const timer = setInterval(() => response.write('x'.repeat(64 * 1024)), 1);
      response.on('close', () => clearInterval(timer));
    };
    const origin = await listening(t, createServer(endless));
    const large = await door(`${origin}/mcp`).ask({ method: 'GET', maxBytes: 100_000, enough: () => false });
    assert.deepEqual([large.cut, large.body.length], ['bytes', 100_000]);
    const drip: RequestListener = (_request, response) => {
      const timer = setInterval(() => response.write('x'), 5);
      response.on('close', () => clearInterval(timer));
    };
    const dripping = await listening(t, createServer(drip));
    const cut = await door(`${dripping}/mcp`).ask({ method: 'GET', bodyMs: 200 });
    assert.equal(cut.cut, 'time');
  });
});

/** A character that a terminal shows and does not obey. */
function isShown(character: string): boolean {
  return !/^[\p{Cc}\p{Cf}]$/u.test(character);
}

describe('evidence', () => {
  const exchange = {
    request: { method: 'POST', url: 'https://mcp.example.com/mcp', headers: [], body: null },
    status: 200,
    headers: [['Server', '\u001b]0;owned\u0007'] as const],
    body: '',
    cut: null,
    failure: null,
    ms: 1,
  };

  it('holds no escape sequence and no text that nobody sees', () => {
    const { received } = evidenceOf({ ...exchange, body: '\u001b[2J\u202eabc\u{e0041}\u009b1m\r\n' }, []);
    assert.ok(
      [...received].every((one) => one === '\n' || isShown(one)),
      JSON.stringify(received),
    );
  });

  it('holds no credential, known or not, however it is cut', () => {
    const secret = token.secret.reveal();
    const jwt = `eyJhbGciOiJub25lIn0.${'a'.repeat(900)}.sig`;
    const body = `${'x'.repeat(680)}${secret} ${jwt} {"refresh_token":"abcdef"} client_secret=hidden`;
    const { received } = evidenceOf({ ...exchange, body }, [token]);
    assert.doesNotMatch(received, /opaque|eyJ|abcdef|hidden/);
  });
});
