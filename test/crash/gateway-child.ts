// A gateway in a process of its own, for a parent that kills it. Tells the parent when it serves.
import { silentLog, systemClock } from '../../src/base/index.ts';
import { loadConfig } from '../../src/config/index.ts';
import { startGateway } from '../../src/gateway/index.ts';

const { config } = await loadConfig({
  file: String(process.argv[2]),
  environment: { PATH: process.env['PATH'] ?? '' },
  cwd: process.cwd(),
});
const gateway = await startGateway({ config, clock: systemClock, log: silentLog, environment: {} });
process.on('message', () => void gateway.close().then(() => process.exit(0)));
process.send?.('ready');
