// What it costs to keep something of a call's arguments: `node bench/capture.ts [--calls 3000]`. Each way takes turns with the
// others, so that a busy machine slows all of them; CPU is that of the whole process, encryption's threads with it. Ratios are to
// `hash`, the default.
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createAuditTrail } from '../src/audit/index.ts';
import { silentLog, systemClock } from '../src/base/index.ts';
import type { ToolCapture } from '../src/policy/index.ts';

const { values } = parseArgs({ options: { calls: { type: 'string', default: '3000' } } });
const rounds = 10;
const perRound = Math.ceil(Number(values.calls) / rounds);

const {
  kty,
  crv = '',
  x = '',
  y,
} = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });
const edwards = generateKeyPairSync('x25519').publicKey.export({ format: 'jwk' });
const dataDir = mkdtempSync(join(tmpdir(), 'portcullis-bench-'));
const open = (name: string, auditorKey: { kty: 'EC' | 'OKP'; crv: string; x: string; y?: string }) =>
  createAuditTrail({ dataDir: join(dataDir, name), clock: systemClock, log: silentLog, auditorKey });
const trails = {
  p256: await open('p256', { kty: kty as 'EC', crv, x, y: y ?? '' }),
  x25519: await open('x25519', { kty: 'OKP', crv: edwards.crv ?? '', x: edwards.x ?? '' }),
};

const args = {
  amount: 120.5,
  currency: 'EUR',
  from: { iban: 'DE89370400440532013000', name: 'Anna' },
  to: { iban: 'FR7630006000011234567890189', name: 'Bruno' },
  note: 'invoice 2026-1101, thank you',
  lines: Array.from({ length: 5 }, (_, at) => ({ sku: `a-${at}`, price: at * 3.5 })),
};
const path = (pointer: string) => pointer.slice(1).split('/');
const ways: Readonly<Record<string, { capture: ToolCapture; trail: keyof typeof trails }>> = {
  none: { capture: { as: 'none', fields: [] }, trail: 'x25519' },
  hash: { capture: { as: 'hash', fields: [] }, trail: 'x25519' },
  redacted: {
    capture: {
      as: 'redacted',
      fields: [
        { path: path('/amount'), how: 'keep' },
        { path: path('/from/iban'), how: 'hash' },
        { path: path('/to/iban'), how: 'mask' },
        { path: path('/lines/*/sku'), how: 'keep' },
      ],
    },
    trail: 'x25519',
  },
  'encrypted, X25519': { capture: { as: 'encrypted', fields: [] }, trail: 'x25519' },
  'encrypted, P-256': { capture: { as: 'encrypted', fields: [] }, trail: 'p256' },
};

const used = new Map(Object.keys(ways).map((name) => [name, { wall: 0, cpu: 0, bytes: 0 }]));
for (let round = -1; round < rounds; round += 1) {
  for (const [name, { capture, trail }] of Object.entries(ways)) {
    const total = used.get(name);
    if (!total) continue;
    const [began, cpu] = [performance.now(), process.cpuUsage()];
    for (let at = 0; at < perRound; at += 1) {
      const call = {
        requestId: `r-${at}`,
        server: 'bank',
        organization: 'acme',
        tool: 'pay',
        arguments: args,
        capture,
      };
      const made = trails[trail].capture(call);
      const captured = made instanceof Promise ? await made : made;
      total.bytes = captured.arguments?.length ?? 0;
    }
    const { user, system } = process.cpuUsage(cpu);
    if (round < 0) continue; // warms up
    total.wall += performance.now() - began;
    total.cpu += user + system;
  }
}
const calls = perRound * rounds;
const base = used.get('hash')?.cpu ?? 1;
for (const [name, { wall, cpu, bytes }] of used) {
  const line = [
    `${((wall / calls) * 1000).toFixed(1)} µs`,
    `${(cpu / calls).toFixed(1)} µs CPU`,
    `${(cpu / base).toFixed(1)} of hash`,
  ];
  process.stdout.write(`${name.padEnd(18)} ${line.join(' · ')} · ${bytes} characters in the record\n`);
}

const answer = Buffer.alloc(1024 * 1024, 'x');
const hash = trails.x25519.hashResult('acme');
const began = performance.now();
for (let at = 0; at < 64; at += 1) hash.update(answer);
hash.digest();
process.stdout.write(
  `hash of a result   ${(((performance.now() - began) / 64) * 1000).toFixed(0)} µs a megabyte\n`,
);
for (const trail of Object.values(trails)) await trail.close();
rmSync(dataDir, { recursive: true });
