import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { brief, faultsOf, head, load, smallest } from './support/workspace.ts';

/** Each line must be refused, at this path, for this reason. */
async function refuses(t: TestContext, text: string, path: string, reason: RegExp): Promise<void> {
  const faults = await faultsOf(t, text);
  const found = faults.find((fault) => fault.path === path && reason.test(`${fault.message} ${fault.hint}`));
  assert.ok(found, `${text}\ngave ${brief(faults).join('; ')}`);
}

const servers = 'servers: { notes: { upstream: { command: [notes] } } }\n';

describe('a public URL', () => {
  const withUrl = (url: string) => `publicUrl: "${url}"\ndata: d\n${servers}`;

  it('is https unless its host is loopback', async (t) => {
    for (const url of [
      'http://mcp.example.com',
      'http://10.0.0.1',
      'http://127.0.0.1.example.com',
      'http://localhost.example.com',
      'http://[::2]',
    ]) {
      await refuses(t, withUrl(url), 'publicUrl', /plain http.*https:/);
    }
    for (const url of [
      'http://127.0.0.1:1',
      'http://127.8.9.1',
      'http://localhost:4180',
      'http://[::1]:4180/',
    ]) {
      assert.equal((await load(t, withUrl(url))).config.publicUrl, url.replace(/\/$/, ''));
    }
  });

  it('is an origin in its one written form', async (t) => {
    for (const url of [
      'https://a.example/mcp',
      'https://a.example/?x',
      'https://a.example/#',
      'https://a.example?',
    ]) {
      await refuses(t, withUrl(url), 'publicUrl', /origin alone/);
    }
    for (const url of [
      'https://A.example',
      'https://a.example:443',
      'https://a.example//',
      'HTTPS://a.example',
    ]) {
      await refuses(t, withUrl(url), 'publicUrl', /https:\/\/a\.example/);
    }
    await refuses(t, withUrl('https://user:canary@a.example'), 'publicUrl', /user or password/);
    for (const url of [
      '',
      'a.example',
      'ftp://a.example',
      'javascript:alert(1)',
      'https://a b',
      'https:\\\\\\\\a.example',
    ]) {
      await refuses(t, withUrl(url), 'publicUrl', /no URL/);
    }
  });

  it('needs somewhere for TLS to end', async (t) => {
    const https = `publicUrl: https://a.example\ndata: d\n${servers}`;
    await refuses(t, https, 'publicUrl', /where TLS ends/);
    await load(t, `${https}trustedProxies: [127.0.0.1]\n`);
    await refuses(
      t,
      `${smallest}tls: { cert: /etc/hostname, key: { file: /etc/hostname } }\n`,
      'publicUrl',
      /http although tls/,
    );
  });
});

describe('exposure', () => {
  it('is refused beyond loopback without TLS or a named proxy', async (t) => {
    for (const host of ['0.0.0.0', '::', '10.0.0.1', 'example.com', '127.0.0.1.example.com']) {
      await refuses(t, `${smallest}listen: { host: "${host}" }\n`, 'listen.host', /plain http beyond/);
    }
    for (const host of ['127.0.0.1', '127.1.2.3', '::1', '[::1]', 'localhost']) {
      await load(t, `${smallest}listen: { host: "${host}" }\n`);
    }
    await load(t, `${smallest}listen: { host: 0.0.0.0 }\ntrustedProxies: [10.0.0.5]\n`);
  });

  it('believes no proxy that is everybody, and none that is no address', async (t) => {
    for (const block of ['0.0.0.0/0', '::/0', '10.0.0.0/0'])
      await refuses(t, `${smallest}trustedProxies: ["${block}"]\n`, 'trustedProxies[0]', /everybody/);
    for (const block of [
      '10/8',
      'proxy.example',
      '10.0.0.0/33',
      '10.0.0.0/-1',
      '10.0.0.0/',
      '10.0.0.0/8/8',
      '::/129',
      '',
    ]) {
      await refuses(t, `${smallest}trustedProxies: ["${block}"]\n`, 'trustedProxies[0]', /address block/);
    }
  });
});

describe('server paths', () => {
  const withPath = (path: string) =>
    `${head}servers: { notes: { path: "${path}", upstream: { command: [notes] } } }\n`;

  it('are canonical', async (t) => {
    for (const path of [
      '',
      '/',
      'mcp',
      '/mcp/',
      '//mcp',
      '/a//b',
      '/%6dcp',
      '/a b',
      '/a?b',
      '/a#b',
      '/a;b',
      '/a\\\\b',
      `/${'a'.repeat(300)}`,
    ]) {
      await refuses(t, withPath(path), 'servers.notes.path', /canonical/);
    }
    for (const path of ['/.', '/..', '/a/../b', '/a/.'])
      await refuses(t, withPath(path), 'servers.notes.path', /dot segment/);
    for (const path of ['/mcp', '/a/b.c', '/oauth2', '/healthz-mcp']) await load(t, withPath(path));
  });

  it('are not the gateway’s own', async (t) => {
    for (const path of [
      '/oauth',
      '/oauth/x',
      '/.well-known/x',
      '/healthz',
      '/readyz',
      '/setup',
      '/account',
      '/console/mcp',
    ]) {
      await refuses(t, withPath(path), 'servers.notes.path', /uses itself/);
    }
  });

  it('belong to one server each, and names are plain', async (t) => {
    const two = `${head}servers: { a: { path: /b/mcp, upstream: { command: [x] } }, b: { upstream: { command: [x] } } }\n`;
    await refuses(t, two, 'servers.b.path', /path of a too/);
    for (const name of ['Notes', 'a_b', '-a', 'a.b', '..']) {
      await refuses(
        t,
        `${head}servers: { "${name}": { upstream: { command: [x] } } }\n`,
        `servers.${name}`,
        /server name/,
      );
    }
  });
});

describe('issuers', () => {
  const withIssuer = (fields: string) => `${smallest}auth: { issuers: [ { ${fields} } ] }\n`;
  const fine = 'issuer: "https://idp.example.com", audience: [a]';

  it('always have an audience, and no switch turns the check off', async (t) => {
    const issuer = 'issuer: "https://idp.example.com"';
    await refuses(t, withIssuer(issuer), 'auth.issuers[0].audience', /missing/);
    for (const audience of ['[]', '""', '[""]', 'null', 'false']) {
      const faults = await faultsOf(t, withIssuer(`${issuer}, audience: ${audience}`));
      assert.ok(
        faults.every(({ path }) => path?.startsWith('auth.issuers[0].audience')),
        audience,
      );
    }
    for (const key of ['skipAudience', 'verifyAudience', 'audienceCheck']) {
      await refuses(t, withIssuer(`${fine}, ${key}: false`), `auth.issuers[0].${key}`, /no known key/);
    }
  });

  it('sign with asymmetric keys alone', async (t) => {
    for (const name of ['none', 'HS256', 'HS512', 'rs256', 'dir', '']) {
      await refuses(
        t,
        withIssuer(`${fine}, algorithms: ["${name}"]`),
        'auth.issuers[0].algorithms[0]',
        /asymmetric/,
      );
    }
    await refuses(t, withIssuer(`${fine}, algorithms: []`), 'auth.issuers[0].algorithms', /empty/);
  });

  it('are reached over https', async (t) => {
    await refuses(
      t,
      withIssuer('issuer: "http://idp.example.com", audience: [a]'),
      'auth.issuers[0].issuer',
      /plain http/,
    );
    await refuses(
      t,
      withIssuer(`${fine}, jwksUri: "http://idp.example.com/jwks"`),
      'auth.issuers[0].jwksUri',
      /plain http/,
    );
    await load(t, withIssuer('issuer: "http://127.0.0.1:9/x", audience: [a]'));
  });

  it('are listed once, are not ourselves, and somebody must be one', async (t) => {
    const twice = `${smallest}auth: { issuers: [ { ${fine} }, { ${fine} } ] }\n`;
    await refuses(t, twice, 'auth.issuers[1].issuer', /twice/);
    await refuses(
      t,
      withIssuer('issuer: "http://127.0.0.1:4180/oauth", audience: [a]'),
      'auth.issuers[0].issuer',
      /embedded/,
    );
    await refuses(t, `${smallest}auth: { embedded: false }\n`, 'auth.embedded', /nobody could sign in/);
  });

  it('get access tokens of an hour at most', async (t) => {
    await refuses(
      t,
      `${smallest}auth: { embedded: { accessTokenMinutes: 61 } }\n`,
      'auth.embedded.accessTokenMinutes',
      /at most 60/,
    );
    await refuses(
      t,
      `${smallest}auth: { embedded: { accessTokenMinutes: 0 } }\n`,
      'auth.embedded.accessTokenMinutes',
      /at least 1/,
    );
  });
});

it('refuses a rule for a server that is not there', async (t) => {
  await refuses(
    t,
    `${smallest}tools: [ { match: "*", server: note, scope: a } ]\n`,
    'tools[0].server',
    /notes/,
  );
});

it('refuses headers that the gateway sets itself', async (t) => {
  for (const name of [
    'Host',
    'content-length',
    'Transfer-Encoding',
    'mcp-session-id',
    'X-Forwarded-For',
    'connection',
  ]) {
    const text = `${head}servers: { notes: { upstream: { url: "http://127.0.0.1:1/", headers: { ${name}: { env: A } } } } }\n`;
    await refuses(t, text, `servers.notes.upstream.headers.${name}`, /gateway sets itself/);
  }
});

describe('what later versions bring', () => {
  it('is refused by name, never ignored', async (t) => {
    const sections = {
      approvals: '{}',
      encryption: '{}',
      console: '{}',
    };
    for (const [key, value] of Object.entries(sections))
      await refuses(t, `${smallest}${key}: ${value}\n`, key, /not in this version/);
    await refuses(
      t,
      `${smallest}tools: [ { match: "*", roles: [admin], scope: a } ]\n`,
      'tools[0].roles',
      /not in this version/,
    );
  });

  it('gives one fault each', async (t) => {
    assert.equal(
      (await faultsOf(t, `${smallest}approvals: { url: x, more: [1, 2] }\nencryption: { x: 1 }\n`)).length,
      2,
    );
  });
});

describe('conditions', () => {
  const rule = (attributes: string) => `${smallest}tools:\n  - { match: "*", scope: a, ${attributes} }\n`;

  it('that are wrong are found with their place and what to type', async (t) => {
    const cases: [when: string, message: RegExp, hint: RegExp][] = [
      ['args.amount >', /cannot be read at character/, /such as args.amount > 100/],
      ['arg.amount > 1', /knows no arg/, /did you mean args\?/],
      ['caller.scope == "x"', /has no member scope/, /did you mean scopes\?/],
      ['tool.name.startWith("x")', /knows no function/, /did you mean startsWith\?/],
      ['tool.name == 1', /compares a text with a whole number/, /^$/],
      ['args.x.matches("(?!a)")', /RE2/, /look-around/],
      ['caller.subject', /is no condition/, /compare something/],
    ];
    for (const [when, message, hint] of cases) {
      const [fault] = await faultsOf(t, rule(`when: '${when}'`));
      assert.ok(fault, when);
      assert.deepEqual([fault.path, fault.line !== undefined], ['tools[0].when', true]);
      assert.match(fault.message, message);
      assert.match(fault.hint ?? '', hint);
    }
  });

  it('on arguments cannot decide what is listed', async (t) => {
    await refuses(t, rule(`when: 'args.x == 1', show: hidden`), 'tools[0].show', /depends on the arguments/);
    const { config } = await load(t, rule(`when: 'caller.client == "x"', show: hidden`));
    assert.equal(config.tools?.[0]?.when, 'caller.client == "x"');
  });
});

describe('tokens of others', () => {
  const issuers = (entry: string) =>
    `${smallest}auth: { issuers: [ { issuer: "https://a.example", ${entry} } ] }\n`;

  it('are never accepted for whatever audience', async (t) => {
    await refuses(t, issuers('jwksUri: "https://a.example/jwks"'), 'auth.issuers[0].audience', /missing/);
    await refuses(t, issuers('audience: []'), 'auth.issuers[0].audience', /empty/);
    await refuses(t, issuers('audience: ""'), 'auth.issuers[0].audience', /empty/);
    await refuses(t, issuers('audience: false'), 'auth.issuers[0].audience', /must be/);
    await refuses(t, issuers('clientIds: []'), 'auth.issuers[0].clientIds', /empty/);
    await refuses(
      t,
      issuers('clientIds: [a], exclusiveAudience: true'),
      'auth.issuers[0].exclusiveAudience',
      /audience/,
    );
  });

  it('bound to a client alone are said to be weaker', async (t) => {
    const { explain } = await load(t, issuers('clientIds: [a]'));
    const binding = explain.find(({ path }) => path === 'auth.issuers[0].audience');
    assert.match(binding?.value ?? '', /weaker/);
  });

  it('are asked about with credentials, or not at all', async (t) => {
    const at = 'auth.issuers[0].introspection';
    const asking = (verify: string, how: string) =>
      issuers(`audience: [a], verify: ${verify}, introspection: { clientId: a${how} }`);
    await refuses(t, issuers('audience: [a], verify: introspection'), at, /missing/);
    await refuses(t, asking('introspection', ''), at, /prove itself/);
    await refuses(t, asking('jwt', ', clientSecret: { env: A }'), at, /not used/);
    await refuses(t, asking('both', ', clientSecret: literal'), `${at}.clientSecret`, /literal|secret/);
    await refuses(
      t,
      asking('both', ', opaqueTokens: true, clientSecret: { env: A }'),
      `${at}.opaqueTokens`,
      /signature/,
    );
    await refuses(
      t,
      asking('both', ', privateKey: { file: /dev/null }'),
      `${at}.privateKey`,
      /regular|empty/,
    );
    await refuses(
      t,
      asking('both', ', privateKey: { file: portcullis.yaml }'),
      `${at}.privateKey`,
      /no private key/,
    );
  });
});

describe('proofs of possession', () => {
  it('are not required where nobody issues bound tokens', async (t) => {
    const text = `${head}servers: { notes: { dpop: required, upstream: { command: [notes] } } }\nauth: { embedded: { dpop: 'off' } }\n`;
    await refuses(t, text, 'servers.notes.dpop', /no token would be accepted/);
  });
});
