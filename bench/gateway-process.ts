import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

// A gateway that tells its parent how much memory and processor time it uses. Started by the benchmarks with --expose-gc, the configuration
// file, and the folder that holds the product: `src`, or `dist` after a build, which is what users run.

const [, , file = '', root = 'src'] = process.argv;
type Source<Path extends string> = Path extends 'base'
  ? typeof import('../src/base/index.ts')
  : Path extends 'config'
    ? typeof import('../src/config/index.ts')
    : typeof import('../src/gateway/index.ts');

async function load<Path extends 'base' | 'config' | 'gateway'>(part: Path): Promise<Source<Path>> {
  const folder = join(resolve(root), part);
  const index = ['index.js', 'index.ts'].map((name) => join(folder, name)).find(existsSync);
  return (await import(index ?? folder)) as Source<Path>;
}

const { silentLog, systemClock } = await load('base');
const { loadConfig } = await load('config');
const { startGateway } = await load('gateway');
const { config } = await loadConfig({ file, environment: process.env, cwd: process.cwd() });
const gateway = await startGateway({ config, clock: systemClock, log: silentLog, environment: {} });

process.on('message', (message) => {
  if (message === 'memory') {
    for (let i = 0; i < 3; i++) globalThis.gc?.();
    process.send?.(process.memoryUsage());
  } else if (message === 'cpu') {
    process.send?.(process.cpuUsage());
  } else if (message === 'close') {
    void gateway.close().then(() => process.exit(0));
  }
});
process.send?.('ready');
