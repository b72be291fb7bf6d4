import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createPlainServer, type RequestListener } from 'node:http';
import { createServer, type ServerOptions } from 'node:https';
import { type AddressInfo, connect, createServer as createTcpServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { systemClock } from '../../src/base/index.ts';
import { noTokens, type Report, reportOf, runCheck } from '../../src/check/index.ts';
import { tls } from '../../src/check/probes/h05-tls.ts';
import { openContext } from '../../src/check/start.ts';
import { run } from '../cli/support/run.ts';

// Real handshakes with certificates of openssl, each wrong in one way.

const directory = mkdtempSync(join(tmpdir(), 'portcullis-check-tls-'));
const at = (name: string) => join(directory, name);
const systemAuthorities = getCACertificates('default');

function openssl(line: string): void {
  execFileSync('openssl', line.split(' '), { stdio: 'ignore', cwd: directory });
}

const newKey = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes';

/** @param dates negative days: it is over */
function issue(name: string, names: string, dates = '-days 2'): void {
  openssl(
    `req ${newKey} -keyout ${name}.key -out ${name}.csr -subj /CN=${name} -addext subjectAltName=${names}`,
  );
  openssl(
    `x509 -req -in ${name}.csr -CA authority.pem -CAkey authority.key -CAcreateserial -copy_extensions copy ${dates} -out ${name}.pem`,
  );
}

const answer: RequestListener = (request, response) => {
  request.resume();
  response
    .writeHead(401, { 'www-authenticate': 'Bearer', 'strict-transport-security': 'max-age=31536000' })
    .end();
};

async function listening(t: TestContext, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

function secure(t: TestContext, name: string, more: ServerOptions = {}): Promise<number> {
  const server = createServer(
    { key: readFileSync(at(`${name}.key`)), cert: readFileSync(at(`${name}.pem`)), ...more },
    answer,
  );
  return listening(t, server);
}

const options = (url: string) => ({
  target: new URL(url),
  clock: systemClock,
  version: 'test',
  timeLimitMs: 20_000,
  paceMs: 0,
  tokens: noTokens,
  allowed: { burst: false, register: false, tools: [] },
  expectPublic: false,
  audit: null,
  lock: null,
  declared: null,
  mill: null,
});

async function check(url: string, only: readonly string[] = ['H05']): Promise<Report> {
  return reportOf(await runCheck({ ...options(url), only }), { version: 'test', suppressions: [] });
}

const problems = ({ findings }: Report) =>
  findings.flatMap((one) => one.problems.map(({ text, severity }) => `${severity}: ${text}`));

describe('H05, against real handshakes', () => {
  before(() => {
    openssl(`req -x509 ${newKey} -days 2 -keyout authority.key -out authority.pem -subj /CN=authority`);
    openssl(
      `req -x509 ${newKey} -days 2 -keyout self.key -out self.pem -subj /CN=localhost -addext subjectAltName=DNS:localhost`,
    );
    issue('good', 'DNS:localhost,IP:127.0.0.1');
    issue('other', 'DNS:other.example');
    issue('expired', 'DNS:localhost', '-days -1');
    setDefaultCACertificates([...systemAuthorities, readFileSync(at('authority.pem'), 'utf8')]);
  });
  after(() => {
    setDefaultCACertificates(systemAuthorities);
    rmSync(directory, { recursive: true, force: true });
  });

  it('passes a good certificate, by name and by address', async (t) => {
    const port = await secure(t, 'good');
    for (const host of ['localhost', '127.0.0.1']) {
      const { rows } = await check(`https://${host}:${port}/mcp`);
      assert.deepEqual(
        rows.map(({ verdict, text }) => [verdict, text]),
        [['pass', 'TLSv1.3, trusted']],
      );
    }
  });

  for (const [name, why] of [
    ['expired', /CERT_HAS_EXPIRED/],
    ['other', /ERR_TLS_CERT_ALTNAME_INVALID|altname/i],
    ['self', /SELF_SIGNED/],
  ] as const)
    it(`fails a certificate that is ${name}, though no other row can then be tested`, async (t) => {
      const port = await secure(t, name);
      const report = await check(`https://localhost:${port}/mcp`, ['H05', 'A01', 'H02']);
      assert.match(problems(report).join('\n'), why);
      assert.equal(problems(report).length, 1, problems(report).join('\n'));
      assert.deepEqual(
        report.rows.map(({ id, verdict }) => `${id} ${verdict}`),
        ['A01 not-tested', 'H02 not-tested', 'H05 fail'],
      );
    });

  it('fails TLS 1.1, and a short Strict-Transport-Security', async (t) => {
    const old = { minVersion: 'TLSv1', ciphers: 'DEFAULT:@SECLEVEL=0' } as const;
    const report = await check(`https://localhost:${await secure(t, 'good', old)}/mcp`);
    assert.deepEqual(problems(report), ['medium: TLS 1.1 or older is taken']);
    const server = createServer(
      { key: readFileSync(at('good.key')), cert: readFileSync(at('good.pem')) },
      (_request, response) => response.writeHead(401, { 'strict-transport-security': 'max-age=60' }).end(),
    );
    const short = await check(`https://localhost:${await listening(t, server)}/mcp`);
    assert.match(problems(short).join('\n'), /^low: no Strict-Transport-Security/);
  });

  it('fails a port that also takes plain HTTP', async (t) => {
    const [https, http] = [await secure(t, 'good'), await listening(t, createPlainServer(answer))];
    // The first byte tells a handshake (22) from a request.
    const both = createTcpServer((socket) => {
      socket.once('data', (first) => {
        const inner = connect(first[0] === 22 ? https : http, '127.0.0.1');
        for (const one of [socket, inner]) one.on('error', () => {});
        inner.write(first);
        socket.pipe(inner).pipe(socket);
      });
    });
    const report = await check(`https://localhost:${await listening(t, both)}/mcp`);
    assert.deepEqual(problems(report), ['high: http:// answers with 401: clients send their token there']);
  });

  it('fails plain HTTP at a public address as critical, and on a private network as high', async () => {
    for (const [isPrivate, severity] of [
      [false, 'critical'],
      [true, 'high'],
    ] as const) {
      const context = await openContext(options('http://mcp.example.com/mcp'), new Map());
      const door = { ...context.door, answered: 1 };
      const verdict = await tls.run({ ...context, isPrivate, door });
      assert.equal(verdict.verdict === 'fail' && verdict.problems[0]?.severity, severity);
    }
  });

  it('finds nothing where nobody listens', async () => {
    const { rows } = await check('https://127.0.0.1:9/mcp');
    assert.deepEqual(
      rows.map(({ verdict }) => verdict),
      ['not-tested'],
    );
  });

  it('ends with 1 for a certificate that nobody trusts, and with 3 for a closed port', async (t) => {
    const url = `https://localhost:${await secure(t, 'good')}/mcp`;
    const rows = ['--only', 'H05,A01'];
    const [untrusted, trusted, closed] = await Promise.all([
      run(['check', url, ...rows], { cwd: directory }),
      run(['check', url, ...rows], { cwd: directory, env: { NODE_EXTRA_CA_CERTS: at('authority.pem') } }),
      run(['check', 'https://127.0.0.1:9/mcp', ...rows], { cwd: directory }),
    ]);
    assert.deepEqual(
      [untrusted, trusted, closed].map(({ code }) => code),
      [1, 0, 3],
      JSON.stringify([untrusted, trusted, closed]),
    );
  });
});
