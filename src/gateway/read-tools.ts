import { type Clock, type Log, messageOf, OperationError, uuidv7 } from '../base/index.ts';
import type { ServerConfig } from '../config/index.ts';
import type { ToolFacts } from '../policy/index.ts';
import { readToolList, toolFacts } from '../upstream/index.ts';
import { openUpstream } from './wire-backends.ts';

/**
 * Asks a server for its tools, as the gateway would, and ends it again. For commands.
 * @throws OperationError when it cannot be started or gives no list
 */
export async function readTools(
  server: ServerConfig,
  parts: { clock: Clock; log: Log; environment: Readonly<Record<string, string | undefined>> },
): Promise<ToolFacts[]> {
  const upstream = await openUpstream(server, parts);
  try {
    await upstream.start();
    const list = await readToolList(upstream, () => uuidv7(parts.clock.now()));
    return list.map(toolFacts).filter((facts) => facts !== null);
  } catch (error) {
    const hint = 'see that the server runs and lists its tools without anybody having signed in';
    throw new OperationError(`${server.name} gives no list of tools: ${messageOf(error)}`, { hint });
  } finally {
    await upstream.close();
  }
}
