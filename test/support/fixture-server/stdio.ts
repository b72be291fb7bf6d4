import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio';
import { createMcpServer } from './mcp-server.ts';
import { createFixtureState } from './state.ts';

// The fixture as a subprocess: `node test/support/fixture-server/stdio.ts legacy|modern`.
const state = createFixtureState();
if (process.argv[2] === 'legacy') await createMcpServer(state, 'legacy').connect(new StdioServerTransport());
else serveStdio(() => createMcpServer(state, 'modern', 'connection'), { legacy: 'reject' });
