import type { CheckContext } from './context.ts';
import { openings } from './discovery/openings.ts';
import { connect, type McpClient } from './mcp.ts';
import { type ContextOptions, openContext } from './start.ts';

/** Somebody whom the server lets in: with the good token, or without one where it asks for none. Null: nobody. */
export async function somebody(context: CheckContext): Promise<McpClient | null> {
  const { good } = context.tokens.tokens;
  if (good !== undefined) return connect(context, good);
  const all = await context.once(openings);
  return all.some(({ open }) => open) ? connect(context, null) : null;
}

/** Whether the good token opens the door by now. */
export async function connects(options: ContextOptions): Promise<boolean> {
  return (await somebody(await openContext(options, new Map()))) !== null;
}

/** What to type so that rows that need to be let in are tested. */
export const needsToken = '--login, --token-stdin, --client-credentials or --tokens FILE';
