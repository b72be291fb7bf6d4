import { createRequestStateCodec, McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { registerAnnotatedTools } from './annotated-tools.ts';
import { registerContentTools, text } from './content-tools.ts';
import { registerElicitationTools } from './elicitation-tools.ts';
import { registerInputRequiredPrompt, registerInputRequiredTools } from './input-required.ts';
import { registerPrompts } from './prompts.ts';
import { registerResources, registerSubscriptions, watchedResource } from './resources.ts';
import type { FixtureState } from './state.ts';

/**
 * One server instance: a connection's over stdio, a session's over HTTP in the 2025 era, and in the modern one a
 * single request's, so that `changes` must reach the listeners by the `bus`.
 */
export function createMcpServer(
  state: FixtureState,
  era: 'legacy' | 'modern',
  changes: 'bus' | 'connection' = era === 'modern' ? 'bus' : 'connection',
): McpServer {
  const codec = createRequestStateCodec<{ step: string; name?: string }>({ key: state.requestStateKey });
  const server = new McpServer(
    { name: 'portcullis-fixture', version: '1.0.0' },
    {
      capabilities: {
        tools: { listChanged: true },
        prompts: { listChanged: true },
        resources: { subscribe: true, listChanged: true },
        logging: {},
        completions: {},
      },
      requestState: { verify: codec.verify },
      cacheHints: { 'tools/list': { ttlMs: 1000, cacheScope: 'private' } },
    },
  );
  registerContentTools(server);
  registerElicitationTools(server);
  registerInputRequiredTools(server, codec);
  registerAnnotatedTools(server, state);
  registerPrompts(server);
  registerInputRequiredPrompt(server);
  registerResources(server);
  const subscribed = new Set<string>();
  if (era === 'legacy') registerSubscriptions(server, subscribed);
  const watches = (uri: string) => era === 'modern' || subscribed.has(uri);
  registerChangeTools(server, changes === 'bus' ? busChanges(state) : connectionChanges(server, watches));
  return server;
}

interface Changes {
  tools(): void;
  prompts(): void;
  watched(): Promise<void>;
}

const busChanges = ({ events }: FixtureState): Changes => ({
  tools: () => events.publish({ kind: 'tools_list_changed' }),
  prompts: () => events.publish({ kind: 'prompts_list_changed' }),
  watched: async () => events.publish({ kind: 'resource_updated', uri: watchedResource }),
});

const connectionChanges = (server: McpServer, watches: (uri: string) => boolean): Changes => ({
  tools: () => server.sendToolListChanged(),
  prompts: () => server.sendPromptListChanged(),
  watched: async () => {
    if (watches(watchedResource)) await server.server.sendResourceUpdated({ uri: watchedResource });
  },
});

/** Tools that make the server announce a change on whatever streams its clients listen to. */
function registerChangeTools(server: McpServer, changes: Changes): void {
  const inputSchema = z.object({});
  server.registerTool('test_trigger_tool_change', { description: 'Announces tools', inputSchema }, () => {
    changes.tools();
    return text('announced');
  });
  server.registerTool('test_trigger_prompt_change', { description: 'Announces prompts', inputSchema }, () => {
    changes.prompts();
    return text('announced');
  });
  server.registerTool('touch_watched', { description: 'Announces a resource', inputSchema }, async () => {
    await changes.watched();
    return text('announced');
  });
}
