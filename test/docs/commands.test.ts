import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { loadConfig } from '../../src/config/index.ts';
import { type Block, blocksOf, documents, read, root } from './documents.ts';

const blocks = documents.flatMap((document) =>
  blocksOf(read(document)).map((block) => ({ document, ...block })),
);
const marked = (mark: string) => blocks.filter((block) => block.mark === mark);
const named = ({ document, line }: { document: string } & Block) => `${document}:${line}`;

/** What the documents' configurations refer to. */
const secrets = {
  AUDITOR_KEY:
    '-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VuAyEABrvo/5ScezKPjcksw3wZaOoMMom4e506k/n1b4TzmEA=\n-----END PUBLIC KEY-----',
  NOTES_KEY: 'a',
  TICKETS_KEY: 'b',
  OIDC_CLIENT_SECRET: 'c',
  DATABASE_URL: 'postgres://portcullis@127.0.0.1/portcullis',
};

let directory = '';
before(() => {
  directory = mkdtempSync(join(tmpdir(), 'portcullis-docs-'));
});
after(() => {
  rmSync(directory, { recursive: true, force: true });
});

describe('commands of the documents', { skip: process.platform === 'win32' && 'no sh' }, () => {
  it('are marked', () => {
    assert.ok(marked('runs').length >= 4);
  });

  for (const document of new Set(marked('runs').map((block) => block.document))) {
    it(`in ${document} do what they say, in order`, { timeout: 120_000 }, async () => {
      const place = prepare(document);
      // The tour looks at a gateway that runs.
      const gateway = document === 'README.md' ? await start(place) : null;
      try {
        for (const block of marked('runs').filter((one) => one.document === document)) {
          const { status, stdout, stderr } = run(block.text, place);
          assert.equal(status, 0, `${named(block)} ended with ${status}\n${stdout}\n${stderr}`);
        }
      } finally {
        await gateway?.stop();
      }
    });
  }
});

describe('configurations of the documents', () => {
  it('are marked', () => assert.ok(marked('config').length >= 4));
  for (const block of marked('config')) {
    it(`${named(block)} is one`, async () => {
      const { cwd } = prepare(block.document);
      writeFileSync(join(cwd, 'portcullis.yaml'), inside(cwd, block.text));
      const { config } = await loadConfig({ file: 'portcullis.yaml', cwd, environment: secrets });
      assert.ok(config.servers.length > 0);
    });
  }
});

/** The configuration with the files of a real machine in a directory of the test, and those files there. */
function inside(cwd: string, text: string): string {
  const machine = /\/(?:etc\/portcullis|run\/[\w.-]+(?:\/[\w.-]+)?|var\/lib\/portcullis)(\/[\w.-]+)?/g;
  return text.replace(machine, (path, file?: string) => {
    if (file) writeFileSync(join(cwd, basename(path)), 'content');
    return file ? join(cwd, basename(path)) : cwd;
  });
}

interface Place {
  readonly cwd: string;
  readonly path: string;
}

/** A directory with `portcullis` and `npx` on the path, the example, and the first configuration of the document. */
function prepare(document: string): Place {
  const cwd = mkdtempSync(join(directory, 'tour-'));
  const bin = join(cwd, 'bin');
  cpSync(join(root, 'examples'), join(cwd, 'examples'), { recursive: true });
  cpSync(join(root, 'schema'), join(cwd, 'schema'), { recursive: true });
  cpSync(join(import.meta.dirname, 'bin'), bin, { recursive: true });
  for (const name of ['portcullis', 'npx']) chmodSync(join(bin, name), 0o755);
  const config = marked('config').find((block) => block.document === document);
  if (config) writeFileSync(join(cwd, 'portcullis.yaml'), config.text);
  return { cwd, path: `${bin}${delimiter}${process.env['PATH'] ?? ''}` };
}

function run(commands: string, { cwd, path }: Place) {
  return spawnSync('sh', ['-eu', '-c', commands], {
    cwd,
    encoding: 'utf8',
    timeout: 60_000,
    input: '',
    env: {
      ...secrets,
      PATH: path,
      HOME: cwd,
      PORTCULLIS_BIN: join(root, 'bin', 'portcullis.js'),
      NODE: process.execPath,
    },
  });
}

interface Ready {
  readonly ready: boolean;
  readonly servers: readonly { readonly url: string }[];
  readonly setup: string | null;
}

/** What `npm start` runs, on a free port, in the directory of the test. */
async function start({ cwd, path }: Place): Promise<{ stop(): Promise<void> }> {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: { start: string } };
  const words = scripts.start.split(' ').map((word) => word.replace(/^(?:bin|node_modules)\//, `${root}/$&`));
  const [program, ...parameters] = words.toSpliced(words.indexOf('--'), 0, '--port', '0', '--json');
  assert.equal(program, 'node');
  const child = spawn(process.execPath, parameters, {
    cwd,
    env: { PATH: path, HOME: cwd },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = once(child, 'exit');
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  const ready = JSON.parse(line) as Ready;
  assert.ok(ready.ready && ready.setup, line);
  assert.equal((await fetch(ready.servers[0]?.url ?? '', { method: 'POST' })).status, 401);
  return {
    async stop() {
      child.kill('SIGTERM');
      const [code] = (await ended) as [number | null];
      assert.equal(code, 0);
    },
  };
}
