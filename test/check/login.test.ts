import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Report } from '../../src/check/index.ts';
import { alice, signInAndConsent } from '../authorization-server/support.ts';
import { start } from '../cli/support/run.ts';
import { startTestGateway, type TestGateway } from '../clients/gateway.ts';

// The program against our own gateway, from its URL alone to verdicts that need a token: each way to get one.

const documentUrl = 'https://client.example/portcullis-check.json';
const secret = 'only the pipeline knows it';
const scopes = 'mcp:tools:read mcp:tools:write mcp:resources:read';
/** Rows that say nothing without a good token, and some that need another one besides. */
const only = ['A03', 'A06', 'H03', 'S01', 'S02', 'S03', 'T05', 'T06', 'T08', 'T09', 'T10', 'T11'];

describe('check with a token of our own gateway', { concurrency: 1 }, () => {
  let gateway: TestGateway;
  let cwd: string;
  const fetched: string[] = [];
  before(async () => {
    cwd = mkdtempSync(join(tmpdir(), 'portcullis-check-login-'));
    writeFileSync(join(cwd, 'secret'), secret);
    gateway = await startTestGateway({
      accounts: [{ ...alice, role: 'admin' }],
      config: {
        servers: {
          notes: {
            upstream: { command: [process.execPath, join(import.meta.dirname, 'gateway/notes-server.ts')] },
          },
        },
        auth: {
          embedded: {
            clients: {
              registered: [
                {
                  id: 'ci',
                  secret: { file: join(cwd, 'secret') },
                  grants: ['client_credentials'],
                  scopes: scopes.split(' '),
                },
              ],
            },
          },
        },
        tools: [
          { match: 'delete_*', scope: 'mcp:tools:admin' },
          { match: 'write_*', scope: 'mcp:tools:write' },
          { match: '*', hint: 'readOnly', scope: 'mcp:tools:read' },
        ],
        http: { drainSeconds: 1 },
      },
      clientMetadataFetch: (async (url) => {
        fetched.push(String(url));
        return Response.json({
          client_id: documentUrl,
          client_name: 'portcullis check',
          redirect_uris: ['http://127.0.0.1/callback'],
          grant_types: ['authorization_code', 'refresh_token'],
          response_types: ['code'],
          token_endpoint_auth_method: 'none',
        });
      }) as typeof fetch,
    });
  });
  after(async () => {
    await gateway.close();
    rmSync(cwd, { recursive: true, force: true });
  });

  /** Runs it; whoever is asked to sign in does. */
  async function check(
    ...parameters: string[]
  ): Promise<{ report: Report; asked: string | null; text: string }> {
    const url = gateway.servers[0]?.url ?? '';
    const args = ['check', url, '--json', '--only', only.join(','), '--tool', 'write_note', ...parameters];
    const child = start(args, { cwd, env: { CI_SECRET: secret } });
    const texts = { stdout: '', stderr: '' };
    let asked: string | null = null;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      texts.stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      texts.stderr += text;
      const found = /^ {2}(http:\S+)\n/m.exec(texts.stderr)?.[1];
      if (found === undefined || asked !== null) return;
      asked = found;
      void signInAndConsent(found, alice).then((back) => fetch(back));
    });
    const [code] = (await once(child, 'close')) as [number | null];
    assert.equal(code, 0, texts.stderr + texts.stdout);
    return { report: JSON.parse(texts.stdout) as Report, asked, text: texts.stdout + texts.stderr };
  }

  const untested = ({ rows }: Report) =>
    rows.filter(({ verdict }) => verdict !== 'pass').map(({ id, text }) => `${id} ${text}`);

  it('by a sign-in as a client that registers itself', async () => {
    const { report, asked, text } = await check('--login', '--scope', scopes);
    assert.ok(asked);
    assert.deepEqual(untested(report), ['T08 the issuer gives no token for another server']);
    assert.doesNotMatch(text, /eyJ[\w-]{10,}\./);
  });

  it('by a sign-in as the client of a metadata document', async () => {
    const { report, asked } = await check('--login', '--scope', scopes, '--client-metadata-url', documentUrl);
    assert.equal(new URL(asked ?? '').searchParams.get('client_id'), documentUrl);
    assert.ok(fetched.includes(documentUrl));
    assert.deepEqual(
      untested(report).map((line) => line.slice(0, 3)),
      ['T08'],
    );
  });

  it('by the secret of a machine', async () => {
    const { report, asked, text } = await check(
      '--client-credentials',
      '--client-id',
      'ci',
      '--client-secret',
      'env:CI_SECRET',
      '--scope',
      scopes,
    );
    assert.equal(asked, null);
    assert.deepEqual(
      untested(report).map((line) => line.slice(0, 3)),
      ['T08'],
    );
    assert.ok(!text.includes(secret));
  });
});
