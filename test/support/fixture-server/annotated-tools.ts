import { setTimeout as sleep } from 'node:timers/promises';
import type { McpServer, ServerContext } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { reportProgress, text } from './content-tools.ts';
import type { FixtureState } from './state.ts';

const readOnly = { readOnlyHint: true, openWorldHint: false };

/** Tools whose annotations a policy reads: one for each risk. */
export function registerAnnotatedTools(server: McpServer, state: FixtureState): void {
  server.registerTool('read_notes', { description: 'Lists the notes', annotations: readOnly }, () =>
    text(JSON.stringify(Object.fromEntries(state.notes))),
  );
  server.registerTool(
    'write_note',
    {
      description: 'Writes a note',
      inputSchema: z.object({ name: z.string(), body: z.string() }),
      annotations: { readOnlyHint: false, destructiveHint: false, openWorldHint: false },
    },
    ({ name, body }) => {
      state.notes.set(name, body);
      return text(`wrote ${name}`);
    },
  );
  server.registerTool(
    'delete_note',
    {
      description: 'Deletes a note',
      inputSchema: z.object({ name: z.string() }),
      annotations: { readOnlyHint: false, destructiveHint: true, openWorldHint: false },
    },
    ({ name }) => text(state.notes.delete(name) ? `deleted ${name}` : `no note ${name}`),
  );
  registerProbeTools(server, state);
}

function registerProbeTools(server: McpServer, state: FixtureState): void {
  server.registerTool(
    'echo',
    {
      description: 'Answers its text',
      inputSchema: z.object({ text: z.string() }),
      annotations: readOnly,
    },
    (args) => text(args.text),
  );
  server.registerTool(
    'fixture_state',
    { description: 'Answers what the fixture knows of its calls', annotations: readOnly },
    () => text(JSON.stringify({ cancelled: state.cancelled, running: state.running, pid: process.pid })),
  );
  server.registerTool(
    'echo_headers',
    { description: 'Answers the HTTP headers of its request', annotations: readOnly },
    (context) => text(JSON.stringify(Object.fromEntries(context.http?.req?.headers ?? []))),
  );
  server.registerTool(
    'query_region',
    {
      description: 'Mirrors its region into Mcp-Param-Region',
      inputSchema: z.object({ region: z.string().meta({ 'x-mcp-header': 'Region' }), query: z.string() }),
      annotations: readOnly,
    },
    ({ region, query }) => text(`${region}: ${query}`),
  );
  server.registerTool(
    'slow_report',
    {
      description: 'Reports progress step by step',
      inputSchema: z.object({
        steps: z.number().int().min(1).max(100_000).default(5),
        delayMs: z.number().int().min(0).max(60_000).default(20),
        bytes: z.number().int().min(0).max(1_000_000).default(0),
      }),
      annotations: readOnly,
    },
    (args, context) => slowReport(state, args, context),
  );
}

async function slowReport(
  state: FixtureState,
  { steps, delayMs, bytes }: { steps: number; delayMs: number; bytes: number },
  context: ServerContext,
) {
  const { signal } = context.mcpReq;
  state.running += 1;
  try {
    for (let step = 1; step <= steps; step++) {
      await reportProgress(context, { progress: step, total: steps, message: 'x'.repeat(bytes) });
      await sleep(delayMs, undefined, { signal });
    }
    return text(`done after ${steps} steps`);
  } catch (error) {
    if (signal.aborted) state.cancelled.push('slow_report');
    throw error;
  } finally {
    state.running -= 1;
  }
}
