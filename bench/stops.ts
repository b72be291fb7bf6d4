// How long a stopped tool can still be called: `node bench/stops.ts [--rounds 20]`. Two gateways serve on one data directory;
// another process (`portcullis stop`) writes. The lag counts from the moment that stands in the stop to the first call that each
// gateway refuses; both are called all the time.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { silentLog, systemClock } from '../src/base/index.ts';
import { loadConfig } from '../src/config/index.ts';
import { startGateway } from '../src/gateway/index.ts';
import { openStopFile } from '../src/stops/index.ts';
import { allScopes, callTool, freePort, startTestGateway } from '../test/gateway/support.ts';
import { startFixtureServer } from '../test/support/fixture-server/index.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '20' } } });
const rounds = Number(values.rounds);
const command = fileURLToPath(new URL('../bin/portcullis.js', import.meta.url));

const upstream = await startFixtureServer({ port: 0 });
const first = await startTestGateway({
  servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}" } }`,
  rest: 'limits: { client: 1000000/min, concurrent: { client: 100, upstream: 100 } }',
});
const port = await freePort();
const file = `${first.dataDir}/second.yaml`;
await writeFile(
  file,
  `publicUrl: http://127.0.0.1:${port}\nlisten: { host: 127.0.0.1, port: ${port} }\ndata: ${first.dataDir}\n` +
    `servers: { notes: { path: /mcp, upstream: { url: "${upstream.url}" } } }\n` +
    `auth: { issuers: [ { issuer: "${first.issuer.issuer}", audience: ["${first.url}"] } ] }\n` +
    'limits: { client: 1000000/min, concurrent: { client: 100, upstream: 100 } }\n',
);
const { config } = await loadConfig({ file, environment: {}, cwd: first.dataDir });
const second = await startGateway({ config, clock: systemClock, log: silentLog, environment: {} });
const token = await first.token(allScopes);
const urls = [first.url, second.servers[0]?.url ?? ''];

const lags: number[] = [];
try {
  for (let round = 0; round < rounds; round += 1) {
    const process_ = spawn(process.execPath, [command, 'stop', 'tool', 'ec*', '--data', first.dataDir], {
      stdio: 'ignore',
    });
    const ended = once(process_, 'exit');
    const refusedAt = await Promise.all(urls.map(firstRefusal));
    await ended;
    const stops = openStopFile(first.dataDir);
    const entry = (await stops.read()).stops.find(({ resumed }) => resumed === null);
    if (!entry) throw new Error('portcullis stop has written nothing');
    for (const at of refusedAt) lags.push(at - entry.at);
    await stops.merge([{ ...entry, resumed: { by: 'bench', at: systemClock.now() } }]);
    await stops.close();
    await Promise.all(
      urls.map(async (url) => {
        while (await isStopped(url)) await wait(20);
      }),
    );
    await wait(Math.random() * 500);
  }
} finally {
  await second.close();
  await first.close();
  await upstream.close();
}

lags.sort((a, b) => a - b);
const at = (share: number) => lags[Math.min(lags.length - 1, Math.floor(lags.length * share))] ?? 0;
process.stdout.write(
  `a stop by another process, two gateways, ${rounds} rounds: median ${at(0.5)} ms, 90 % ${at(0.9)} ms, longest ${at(1)} ms\n`,
);
if (at(1) > 1_000) process.exitCode = 1;

async function firstRefusal(url: string): Promise<number> {
  while (!(await isStopped(url))) await wait(5);
  return systemClock.now();
}

async function isStopped(url: string): Promise<boolean> {
  return (await (await callTool(url, token, 'echo', { text: 'x' })).text()).includes('"stopped"');
}
