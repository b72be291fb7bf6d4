import { startFixtureServer } from './index.ts';

// Started by hand: `node test/support/fixture-server/main.ts [port]`.
const fixture = await startFixtureServer({ port: Number(process.argv[2] ?? 0) });
process.stdout.write(`${fixture.url}\n`);
