import { randomToken } from '../../base/index.ts';
import type { CheckContext } from '../context.ts';
import { openings } from '../discovery/openings.ts';
import { type Exchange, headerOf } from '../exchange.ts';
import { mcpAsk } from '../mcp.ts';
import { somebody } from '../somebody.ts';
import { forged } from '../tokens/forge.ts';

/** A request that the log must know of, and by what it can be found there. */
export interface Mark {
  readonly what: string;
  readonly exchange: Exchange;
  /** Any of them in the log will do: the id that the server answered with, or a name that nobody else sends. */
  readonly signs: readonly string[];
}

/** Text that must be in no log: it was sent as a token. */
export async function canary(_context: CheckContext): Promise<string> {
  return `portcullis-canary-${randomToken(18)}`;
}

/** One request for each outcome that needs nothing but a token. */
export async function marks(context: CheckContext): Promise<readonly Mark[]> {
  const { door } = context;
  const era = (await context.once(openings)).some(
    ({ request, exchange }) => request.era === 'modern' && exchange.status === 401,
  )
    ? 'modern'
    : 'legacy';
  const call = () => ({ name: `portcullis_check_${randomToken(9).replace(/[-_]/g, 'x')}`, arguments: {} });
  const [first, second, third] = [call(), call(), call()];
  const bad = forged(await context.once(canary));
  const found = [
    markOf(
      'without a token',
      await door.ask(mcpAsk({ method: 'tools/call', params: first, era })),
      first.name,
    ),
    markOf(
      'with a bad token',
      await door.ask(mcpAsk({ method: 'tools/call', params: second, era, token: bad })),
      second.name,
    ),
  ];
  const client = await context.once(somebody);
  if (client === null) return found;
  return [
    ...found,
    markOf('a call that is let in', await client.send('tools/call', third), third.name),
    markOf('a list', await client.send('tools/list'), null),
  ];
}

export function markOf(what: string, exchange: Exchange, name: string | null): Mark {
  const id = ['x-request-id', 'request-id', 'x-correlation-id', 'traceparent'].flatMap(
    (header) => headerOf(exchange, header) ?? [],
  );
  return {
    what,
    exchange,
    signs: [...id, ...(name === null ? [] : [name])].filter((sign) => sign.length >= 8),
  };
}

const patienceMs = 10_000;

/** Reads the log until it has every mark, or for ten seconds. @returns what is missing, and the text */
export async function lookFor(
  context: CheckContext,
  wanted: readonly Mark[],
): Promise<{ missing: readonly Mark[]; text: string } | null> {
  const { audit, clock, door } = context;
  if (audit === null) return null;
  const started = clock.monotonic();
  for (;;) {
    const text = await audit.read();
    const missing = wanted.filter(({ signs }) => !signs.some((sign) => text.includes(sign)));
    if (missing.length === 0 || door.over !== null || clock.monotonic() - started > patienceMs)
      return { missing, text };
    await context.door.pause(500);
  }
}

export const needsAudit = '--audit-file FILE or --audit-command COMMAND';
