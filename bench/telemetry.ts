// What telemetry costs a call: `node bench/telemetry.ts [calls] [rounds]`. Four gateways in processes of their own, in turn, several rounds
// in one run; upstream, collector, issuer and clients in this process. Ratios count: processor time of the gateway for each call.
import { freePort, listen, median, openGateways } from './gateways.ts';

const calls = Number(process.argv[2] ?? 3_000);
const rounds = Number(process.argv[3] ?? 5);
const lanes = 8;

let exported = 0;
const collector = await listen((path, body) => {
  if (path === '/v1/traces') exported += body.split('"spanId"').length - 1;
  return {};
});
const gateways = await openGateways();
const to = `otlp: "http://127.0.0.1:${collector.port}"`;
const settings: Readonly<Record<string, string>> = {
  off: '{}',
  'metrics for Prometheus': `{ prometheus: { listen: { port: ${await freePort()} } } }`,
  'metrics, 1 % of traces': `{ ${to}, traces: { ratio: 0.01 } }`,
  'metrics, all traces': `{ ${to}, traces: { ratio: 1, queue: 65536 } }`,
};
const candidates = [];
for (const [name, telemetry] of Object.entries(settings)) {
  candidates.push({
    perCall: [] as number[],
    ...(await gateways.start(name, [`telemetry: ${telemetry}`])),
  });
}
for (const candidate of candidates) await gateways.run(candidate, { calls: Math.min(1_000, calls), lanes }); // warm
for (let round = 0; round < rounds; round += 1) {
  for (const candidate of candidates) {
    const figures = await gateways.run(candidate, { calls, lanes });
    candidate.perCall.push(figures.processorMicrosecondsPerCall);
  }
}
const base = candidates[0]?.perCall ?? [];
for (const { name, perCall } of candidates) {
  const ratios = perCall.map((time, index) => time / (base[index] ?? 1));
  process.stdout.write(
    `${name.padEnd(24)} ${median(perCall).toFixed(0).padStart(5)} µs CPU a call   ${median(ratios).toFixed(3)} of off ` +
      `(${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})\n`,
  );
}
await gateways.close();
process.stdout.write(`${exported} spans reached the collector\n`);
collector.server.closeAllConnections();
collector.server.close();
