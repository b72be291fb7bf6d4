import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { ConfigurationError } from '../../src/base/index.ts';
import { head, load } from './support/workspace.ts';

const servers = (more = '') => `servers: { notes: { upstream: { url: "http://127.0.0.1:1/" }${more} } }\n`;

async function faults(t: TestContext, text: string, environment = {}): Promise<string> {
  try {
    await load(t, head + text, environment);
    return '';
  } catch (error) {
    assert.ok(error instanceof ConfigurationError);
    return error.faults.map(({ path, message }) => `${path}: ${message}`).join('\n');
  }
}

describe('what is only observed', () => {
  const refused: Record<string, [string, RegExp]> = {
    'a layer that is none': [`${servers()}observe: [audit]`, /observe\[0\]/],
    'authentication as a layer': [`${servers()}observe: [authentication]`, /observe\[0\]/],
    'a mode that is none': [`${servers()}mode: off`, /mode/],
    'both ways at once': [`${servers()}mode: observe\nobserve: [pins]`, /says less/],
    'no token and scopes in force': [`${servers()}auth: { observe: { until: 2026-12-31 } }`, /hold no scope/],
    'no token and no day': [`${servers()}mode: observe\nauth: { observe: {} }`, /auth\.observe\.until/],
    'a day that there is not': [
      `${servers()}mode: observe\nauth: { observe: { until: 2026-02-30 } }`,
      /is no day/,
    ],
    'the world': [
      `${servers()}mode: observe\nauth: { observe: { until: 2026-12-31, from: [8.0.0.0/8] } }`,
      /not private/,
    ],
    'more than a private network': [
      `${servers()}mode: observe\nauth: { observe: { until: 2026-12-31, from: [172.16.0.0/8] } }`,
      /not private/,
    ],
    'all of IPv6': [
      `${servers()}mode: observe\nauth: { observe: { until: 2026-12-31, from: ["fc00::/6"] } }`,
      /not private/,
    ],
  };
  for (const [what, [text, expected]] of Object.entries(refused)) {
    it(`refuses ${what}`, async (t) => assert.match(await faults(t, text), expected));
  }

  it('takes what is private', async (t) => {
    const text = `${servers()}mode: observe\nauth: { observe: { until: 2026-12-31, from: [10.1.0.0/16, 172.20.0.0/16, 192.168.0.0/16, "fd00::/8", "::1"] } }`;
    assert.equal(await faults(t, text), '');
  });
});

describe('static keys', () => {
  const entry = (key: string, more = '') =>
    servers(`, staticKeys: [{ name: a, key: ${key}, until: 2026-12-31, scopes: [mcp:tools:read]${more} }]`);
  const good = 'q3vK0mW9zR4tY7uB1nE6sD8fG2hJ5kLx';

  it('take a good one', async (t) => assert.equal(await faults(t, entry('{ env: KEY }'), { KEY: good }), ''));

  const weak: Record<string, string> = {
    short: good.slice(0, 31),
    'one letter': 'a'.repeat(64),
    'a word again and again': 'password'.repeat(8),
    'a number': '12345678901234567890123456789012',
    'with a space': `${good} ${good}`,
    'with a line break': `${good}\n${good}`,
  };
  for (const [what, KEY] of Object.entries(weak)) {
    it(`refuse one that is ${what}, and do not repeat it`, async (t) => {
      const said = await faults(t, entry('{ env: KEY }'), { KEY });
      assert.match(said, /servers\.notes\.staticKeys\[0\]\.key: the key/);
      assert.ok(!said.includes(KEY));
    });
  }

  it('refuse a literal, a header with a meaning, and a name twice', async (t) => {
    assert.match(await faults(t, entry(good)), /staticKeys\[0\]\.key/);
    for (const header of ['authorization', 'Cookie', 'mcp-session-id', 'content-length', 'x-forwarded-for']) {
      assert.match(await faults(t, entry('{ env: KEY }', `, header: ${header}`), { KEY: good }), /header/);
    }
    const one = '{ name: a, key: { env: KEY }, until: 2026-12-31, scopes: [mcp:tools:read] }';
    assert.match(await faults(t, servers(`, staticKeys: [${one}, ${one}]`), { KEY: good }), /two keys/);
  });
});
