// A gateway in a process of its own, with its configuration file as the argument; says when it serves, ends with its parent.
import { silentLog, systemClock } from '../../src/base/index.ts';
import { loadConfig } from '../../src/config/index.ts';
import { startGateway } from '../../src/gateway/index.ts';

const { config } = await loadConfig({
  file: process.argv[2] ?? '',
  environment: process.env,
  cwd: process.cwd(),
});
const gateway = await startGateway({ config, clock: systemClock, log: silentLog, environment: {} });
process.on('message', () => void gateway.close().then(() => process.exit(0)));
process.on('disconnect', () => process.exit(1));
process.send?.(gateway.servers[0]?.url);
