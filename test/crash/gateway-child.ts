// A gateway in a process of its own, for a parent that kills it. Tells the parent when it serves, and when its audit store fails
// and has recovered: what is refused in between waits for nothing.
import { flushCompileCache } from 'node:module';
import { type Log, silentLog, systemClock } from '../../src/base/index.ts';
import { loadConfig } from '../../src/config/index.ts';
import { startGateway } from '../../src/gateway/index.ts';

const tell = (text: string) => process.send?.({ text, at: systemClock.now() });
const log: Log = {
  ...silentLog,
  error: (_fields, text) => tell(text),
  warn: (_fields, text) => tell(text),
};
const { config } = await loadConfig({
  file: String(process.argv[2]),
  environment: { PATH: process.env['PATH'] ?? '' },
  cwd: process.cwd(),
});
const gateway = await startGateway({ config, clock: systemClock, log, environment: {} });
process.on('message', () => void gateway.close().then(() => process.exit(0)));
flushCompileCache(); // who is killed leaves none
tell('ready');
