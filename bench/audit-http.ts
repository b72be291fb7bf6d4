// What the audit trail costs a call through the gateway: `node bench/audit-http.ts [calls] [rounds] [bare|sdk]`. Three gateways in processes
// of their own, in turn, several rounds in one run; issuer and clients in this process. The server behind is one that does nothing, in this
// process too, or one on the official SDK in a process of its own. Ratios count.
import { median, openGateways } from './gateways.ts';

const calls = Number(process.argv[2] ?? 4_000);
const rounds = Number(process.argv[3] ?? 7);
const say = (text: string) => process.stdout.write(`${text}\n`);

const server = process.argv[4] === 'sdk' ? 'sdk' : 'bare';
const gateways = await openGateways({ server });
try {
  const candidates = [
    await gateways.start('no audit', [], 'audit'),
    await gateways.start('batched', ['audit: { durability: batched }']),
    await gateways.start('strict', ['audit: { durability: strict }']),
  ];
  // Until V8 has compiled what is called often: ten thousand calls and more.
  for (const candidate of candidates) await gateways.run(candidate, { calls: calls * 4, lanes: 64 });
  for (const lanes of [64, 1]) {
    const count = lanes === 1 ? Math.ceil(calls / 8) : calls;
    const found = candidates.map(() => [] as { speed: number; cpu: number }[]);
    for (let round = 0; round < rounds; round += 1) {
      for (const [at, candidate] of candidates.entries()) {
        const figures = await gateways.run(candidate, { calls: count, lanes });
        found[at]?.push({ speed: figures.callsPerSecond, cpu: figures.processorMicrosecondsPerCall });
      }
    }
    say(`${lanes} at once, ${count} calls a round, median of ${rounds} rounds`);
    for (const [at, { name }] of candidates.entries()) {
      const own = found[at] ?? [];
      const ratio = (before: number) =>
        median(own.map(({ speed }, round) => speed / (found[before]?.[round]?.speed ?? 1))).toFixed(3);
      const speed = median(own.map((one) => one.speed));
      say(
        `  ${name.padEnd(9)} ${speed.toFixed(0).padStart(6)} calls/s  ${(1_000 / speed).toFixed(3)} ms between answers  ` +
          `${median(own.map((one) => one.cpu)).toFixed(0)} us CPU a call` +
          (at > 0 ? `  ${ratio(at - 1)} of ${candidates[at - 1]?.name}` : ''),
      );
    }
  }
} finally {
  await gateways.close();
}
