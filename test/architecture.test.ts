import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { describe, it } from 'node:test';

const root = resolve(import.meta.dirname, '..');
const src = join(root, 'src');

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

const files = globSync('src/**/*.{ts,tsx}', { cwd: root }).map((file) => join(root, file));
const text = new Map(files.map((file) => [file, readFileSync(file, 'utf8')]));
const imports: Import[] = [...text].flatMap(([from, source]) =>
  [...source.matchAll(/^(?:import|export)\s+(type\s+)?([^;'"]*?)\s*from\s+'([^']+)'/gms)].map((match) => ({
    from,
    to: match[3]?.startsWith('.') ? resolve(dirname(from), match[3]) : (match[3] ?? ''),
    typeOnly: match[1] !== undefined || everyNameIsType(match[2] ?? ''),
  })),
);

function everyNameIsType(names: string): boolean {
  const inner = /^\{([^}]*)\}$/s.exec(names.trim())?.[1];
  if (inner === undefined) return false;
  const listed = inner.split(',').map((name) => name.trim());
  return listed.filter(Boolean).every((name) => name.startsWith('type '));
}

function folderOf(file: string): string {
  const path = relative(src, file).split(sep);
  return path.length > 1 ? (path[0] ?? '') : '';
}

/** Lower number = further down. A value import goes down or stays level; what each folder may use is read off here. */
const level: Readonly<Record<string, number>> = {
  base: 0,
  store: 1,
  protocol: 1,
  config: 4,
  outbound: 1,
  policy: 2,
  pins: 2,
  limits: 2,
  stops: 2,
  identity: 2,
  audit: 2,
  detections: 2,
  alerts: 3,
  telemetry: 2,
  doctor: 2,
  report: 3,
  check: 2,
  upstream: 3,
  'authorization-server': 3,
  pipeline: 5,
  gateway: 6,
  guard: 6,
  console: 6,
  cli: 7,
};

describe('the arrows of ARCHITECTURE.md', () => {
  it('has a place for every folder', () => {
    for (const file of files) {
      const folder = folderOf(file);
      assert.ok(
        folder === '' || folder in level,
        `src/${folder} is not in the drawing: add it there and here`,
      );
    }
  });

  it('points down: a folder uses values of lower folders only', () => {
    for (const { from, to, typeOnly } of ours()) {
      const [user, used] = [folderOf(from), folderOf(to)];
      if (typeOnly || user === used || user === '') continue;
      const [high, low] = [level[user] ?? 0, level[used] ?? 0];
      assert.ok(
        high >= low,
        `${show(from)} uses ${show(to)}: ${user}/ stands below ${used}/, so the arrow points up`,
      );
    }
  });

  it('has no cycles of values between folders', () => {
    const edges = new Map<string, Set<string>>();
    for (const { from, to, typeOnly } of ours()) {
      if (typeOnly || folderOf(from) === folderOf(to)) continue;
      const used = edges.get(folderOf(from)) ?? new Set();
      edges.set(folderOf(from), used.add(folderOf(to)));
    }
    const visit = (folder: string, path: readonly string[]): void => {
      assert.ok(
        !path.includes(folder),
        `the folders import each other in a circle: ${[...path, folder].join(' → ')}`,
      );
      for (const next of edges.get(folder) ?? []) visit(next, [...path, folder]);
    };
    for (const folder of edges.keys()) visit(folder, []);
  });

  it('enters other folders through their index.ts', () => {
    for (const { from, to } of ours()) {
      if (folderOf(from) === folderOf(to) || folderOf(to) === '') continue;
      const door = /[/\\]index\.ts$/.test(to);
      assert.ok(door, `${show(from)} reaches into ${show(to)}: import from src/${folderOf(to)}/index.ts`);
    }
  });

  it('imports only files that exist', () => {
    for (const { from, to } of ours())
      assert.ok(existsSync(to), `${show(from)} imports ${show(to)}, which is not there`);
  });

  it('keeps check ignorant of the gateway: what proves a server must not be made of it', () => {
    for (const { from, to } of ours()) {
      if (folderOf(from) !== 'check') continue;
      const known = ['check', 'base', 'outbound', 'protocol'].includes(folderOf(to));
      assert.ok(known, `${show(from)} uses ${show(to)}: check knows base, outbound and protocol alone`);
    }
  });

  it('keeps base free of everything of ours', () => {
    for (const { from, to } of ours()) {
      if (folderOf(from) === 'base')
        assert.equal(folderOf(to), 'base', `${show(from)} uses ${show(to)}: base imports nothing of ours`);
    }
  });

  it('names implementations in gateway/wire.ts and wire-*.ts alone', () => {
    const makers =
      /\b(createHttpUpstream|createStdioUpstream|createAuthorizationServer|createJwksVerifier|createLimiter)\(/;
    for (const [file, source] of text) {
      if (folderOf(file) !== 'gateway' && folderOf(file) !== 'pipeline') continue;
      if (/[/\\]gateway[/\\]wire(-[a-z]+)?\.ts$/.test(file)) continue;
      assert.doesNotMatch(
        source,
        makers,
        `${show(file)} picks an implementation: only gateway/wire.ts and wire-*.ts do`,
      );
    }
  });
});

describe('what only one place may do', () => {
  const rules: readonly { what: string; pattern: RegExp; allowed: readonly string[] }[] = [
    {
      what: 'reads process.env',
      pattern: /\bprocess\.env\b/,
      allowed: ['config/load.ts'],
    },
    {
      what: 'starts processes',
      pattern: /from 'node:child_process'/,
      allowed: [
        'upstream/stdio/process.ts',
        'config/secret-command.ts',
        'cli/check/audit-source.ts', // --audit-command, --audit-verify
      ],
    },
    {
      what: 'writes to the console',
      pattern: /\bconsole\.|\bprocess\.std(out|err)\b/,
      allowed: ['cli/output.ts'],
    },
    {
      what: 'reads the clock',
      pattern: /\bDate\.now\(|\bperformance\.now\(|new Date\(\)/,
      allowed: ['base/clock.ts'],
    },
    {
      what: 'sends requests out',
      pattern: /from 'undici'|from 'node:https'.*request|(?<![.\w#])fetch\(/,
      allowed: ['outbound/fetch.ts', 'upstream/http.ts', 'upstream/http-exchange.ts'],
    },
    {
      what: 'has a way of its own to see characters that nobody sees (base/neutral.ts has it)',
      pattern: /\\p\{(?:C[cfos]?|Default_Ignorable_Code_Point)\}/,
      allowed: [
        'base/neutral.ts',
        // these leave out, or refuse, and do not show
        'authorization-server/pages/text.ts',
        'config/capture.ts',
        'pins/characters.ts',
        'stops/look-alike.ts',
      ],
    },
    {
      what: 'reads JSON by V8 alone, which can misread names (readJson does not)',
      pattern: /\bJSON\.parse\(/,
      allowed: [
        'base/json.ts',
        'protocol/json.ts',
        'protocol/json-text.ts',
        'audit/', // reads entries that it wrote itself, whose names are ours
      ],
    },
    { what: 'evaluates text', pattern: /\beval\(|new Function\(/, allowed: [] },
  ];
  for (const { what, pattern, allowed } of rules) {
    it(`${what}: ${allowed.join(', ') || 'nobody'}`, () => {
      for (const [file, source] of text) {
        const path = relative(src, file).split(sep).join('/');
        if (allowed.some((one) => path === one || (one.endsWith('/') && path.startsWith(one)))) continue;
        const code = source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/\/\/.*$/gm, '');
        assert.doesNotMatch(code, pattern, `src/${path} ${what}; only ${allowed.join(', ') || 'nobody'} may`);
      }
    });
  }

  it('forwards only cleared calls, and only confirm clears', () => {
    const forward = text.get(join(src, 'pipeline', 'steps', 'forward.ts')) ?? '';
    assert.match(forward, /export function forward\(call: ClearedCall,/);
    for (const [file, source] of text) {
      if (file.endsWith(join('steps', 'confirm.ts'))) continue;
      assert.doesNotMatch(
        source,
        /as (unknown as )?ClearedCall\b/,
        `${show(file)} makes a ClearedCall: only confirm may`,
      );
    }
  });
});

function ours(): Import[] {
  return imports.filter(({ to }) => to.startsWith(src));
}

function show(file: string): string {
  return relative(root, file);
}
