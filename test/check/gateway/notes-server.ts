import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { z } from 'zod';

/** A server whose tools are described as they should be: what check says of a gateway is then about the gateway. */
const server = new McpServer({ name: 'notes', version: '1.0.0' });
const notes = new Map<string, string>();
const said = (text: string) => ({ content: [{ type: 'text' as const, text }] });

server.registerTool(
  'list_notes',
  {
    description: 'Lists the names of all notes',
    inputSchema: z.strictObject({}),
    annotations: { readOnlyHint: true },
  },
  () => said([...notes.keys()].join(', ')),
);
server.registerTool(
  'write_note',
  {
    description: 'Writes one note',
    inputSchema: z.strictObject({ name: z.string(), body: z.string() }),
    annotations: { readOnlyHint: false, destructiveHint: false },
  },
  ({ name, body }) => {
    notes.set(name, body);
    return said(`wrote ${name}`);
  },
);
server.registerTool(
  'delete_note',
  {
    description: 'Deletes one note',
    inputSchema: z.strictObject({ name: z.string() }),
    annotations: { readOnlyHint: false, destructiveHint: true },
  },
  ({ name }) => said(notes.delete(name) ? `deleted ${name}` : `no note ${name}`),
);
await server.connect(new StdioServerTransport());
