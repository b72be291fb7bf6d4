// What an assertion for the upstream costs on the way of a call: signs are synchronous.
//   node bench/assertion.ts
import { hkdfSync } from 'node:crypto';
import { systemClock } from '../src/base/index.ts';
import type { Principal } from '../src/identity/index.ts';
import { createAssertionSigner } from '../src/upstream/index.ts';

const signer = createAssertionSigner({
  issuer: 'https://mcp.example.com',
  clock: systemClock,
  derive: (purpose) => new Uint8Array(hkdfSync('sha256', 'master', '', purpose, 32)),
});
const principal = {
  issuer: 'https://mcp.example.com/oauth',
  subject: '019f0000-0000-7000-8000-000000000000',
  clientId: 'https://client.example.com/metadata.json',
  organization: 'default',
  scopes: ['mcp:tools:read', 'mcp:tools:write', 'mcp:resources:read'],
} as unknown as Principal;

const rounds = 5;
const signs = 5_000;
const perSign: number[] = [];
for (let round = 0; round < rounds; round += 1) {
  const before = process.cpuUsage();
  for (let number = 0; number < signs; number += 1) {
    signer.sign({ audience: 'http://10.0.0.7:3000/mcp', requestId: `r${number}`, principal });
  }
  const used = process.cpuUsage(before);
  perSign.push((used.user + used.system) / signs);
}
perSign.sort((a, b) => a - b);
process.stdout.write(`assertion: ${perSign.map((us) => us.toFixed(1)).join(' ')} µs of CPU a call\n`);
