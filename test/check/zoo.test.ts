import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { systemClock } from '../../src/base/index.ts';
import { noTokens, reportOf, runCheck } from '../../src/check/index.ts';
import { mintedTokens } from './vulnerable/token-set.ts';
import {
  startEverything,
  startExpress,
  startFastMcp,
  startMcpProxy,
  startSupergateway,
  type ZooServer,
} from './zoo/index.ts';

/** Rows that real servers fail, and why each is no false alarm. No bursts: some start a process for each session. */
const open = {
  A01: 'asks nobody for a token',
  A05: 'so it has no metadata either',
  H01: 'takes any Origin: a web page can reach it by DNS rebinding',
  H04: 'JSON.parse lets the last of two equal members win',
  D01: 'the schemas of server-everything let unknown arguments pass',
};
const strangeHost = 'never looks at the Host header';

const expected: readonly (readonly [() => Promise<ZooServer>, Readonly<Record<string, string>>])[] = [
  [startEverything, open],
  [startMcpProxy, { ...open, H02: strangeHost }],
  [startSupergateway, { ...open, H02: strangeHost, H12: 'the error page of Express outside production' }],
  [
    startExpress,
    {
      A05: 'the router of the SDK serves the metadata at one of its two addresses',
      T14: 'jose takes a token whose audiences name this server among others',
      S02: 'one required scope for all tools: everybody sees the same list',
      H01: 'the transport looks at no Origin unless it is told which are good',
      H02: 'nor at the Host',
      H04: 'express.json lets the last of two equal members win',
      H11: 'the SDK sets no Cache-Control',
      H12: 'the error page of Express outside production',
      D01: 'zod objects let unknown arguments pass',
      D07: 'the SDK knows no securitySchemes',
    },
  ],
  [
    startFastMcp,
    {
      A03: 'the Response that authenticate throws carries no challenge',
      A05: 'its CORS headers are not those of its metadata',
      T01: 'the same 401 without a challenge',
      T10: 'the pattern of the example takes Bearer in one spelling alone',
      T14: 'jose takes a token whose audiences name this server among others',
      S02: 'authenticate knows no scopes: everybody sees the same list',
      S04: 'answers an unknown tool with method not found',
      H01: 'takes any Origin: it answers every web page',
      H02: strangeHost,
      H04: 'JSON.parse lets the last of two equal members win',
      H06: 'the challenge is not exposed to pages',
      H07: 'a session belongs to whoever knows its id and has any good token',
      D07: 'it knows no securitySchemes',
    },
  ],
];

async function failing(server: ZooServer): Promise<Readonly<Record<string, string>>> {
  const { mint, url } = server;
  const tokens = mint ? { ...noTokens, tokens: await mintedTokens({ url, mint }) } : noTokens;
  const run = await runCheck({
    target: new URL(url),
    clock: systemClock,
    version: 'test',
    timeLimitMs: 300_000,
    tokens,
    allowed: {
      burst: false,
      register: false,
      tools: mint ? [{ name: 'read_note', args: { id: 'check' } }] : [],
    },
    expectPublic: false,
    audit: null,
    lock: null,
    declared: null,
    mill: null,
  });
  const { rows } = reportOf(run, { version: 'test', suppressions: [] });
  return Object.fromEntries(
    rows.filter(({ verdict }) => verdict === 'fail').map(({ id, text }) => [id, text]),
  );
}

describe('real servers', { concurrency: 2 }, () => {
  for (const [start, rows] of expected)
    it(`${start.name}: ${Object.keys(rows).join(', ')}`, async (t) => {
      const server = await start();
      t.after(() => server.close());
      const failed = await failing(server);
      assert.deepEqual(
        Object.keys(failed).toSorted(),
        Object.keys(rows).toSorted(),
        JSON.stringify(failed, null, 1),
      );
    });
});
