import type { CheckContext } from '../context.ts';
import { guarded } from '../discovery/openings.ts';
import type { NamedSecret } from '../evidence.ts';
import { type Exchange, headerOf, isSuccess } from '../exchange.ts';
import { initialize, type McpRequest, mcpAsk, rpcOf } from '../mcp.ts';
import { fail, notTested, type Problem, pass, type Severity, type Verdict } from '../probe.ts';
import { forged } from './forge.ts';

/** How a token was received. `odd`: neither let in nor properly refused. */
export interface Reception {
  readonly kind: 'accepted' | 'refused' | 'odd';
  readonly exchange: Exchange;
}

/**
 * Sends a token with the request that strangers are refused. A server of the older era answers a newer request with an error once
 * it has accepted the token, so what is not 401 is asked again in its way.
 */
export async function tryToken(
  context: CheckContext,
  token: NamedSecret,
  request: McpRequest,
): Promise<Reception> {
  let exchange = await context.door.ask(mcpAsk({ ...request, token }));
  if (exchange.status === 429) {
    await context.door.pause(waitMs(headerOf(exchange, 'retry-after')));
    exchange = await context.door.ask(mcpAsk({ ...request, token }));
  }
  if (exchange.status === 401) return { kind: 'refused', exchange };
  if (isLetIn(exchange)) return { kind: 'accepted', exchange };
  if (request.method !== 'initialize') {
    const second = await context.door.ask(mcpAsk({ ...initialize, token }));
    if (isLetIn(second)) return { kind: 'accepted', exchange: second };
  }
  return { kind: 'odd', exchange };
}

/** What it asks for, within a minute. */
function waitMs(retryAfter: string | null): number {
  const seconds = Number(retryAfter ?? 1);
  return (seconds > 0 ? Math.min(seconds, 60) : 1) * 1000;
}

function isLetIn(exchange: Exchange): boolean {
  const answer = rpcOf(exchange);
  if (!isSuccess(exchange) || answer === null) return false;
  return answer.result !== undefined || [-32601, -32602].includes(Number(answer.error?.code));
}

/** The request for trials, unless a trial would show nothing. */
async function trialRequest(context: CheckContext): Promise<McpRequest | Verdict> {
  const request = await context.once(guarded);
  if (request === null) return notTested('nothing here asks for a token, see A01');
  if (await context.once(takesAnything)) return notTested('any word is taken as a token, see T01');
  return request;
}

export function isRequest(value: McpRequest | Verdict): value is McpRequest {
  return 'method' in value;
}

/** Whether a word that is no token at all is accepted. Then nothing can be learnt from a forged one. */
async function takesAnything(context: CheckContext): Promise<boolean> {
  const request = await context.once(guarded);
  if (request === null) return false;
  return (await tryToken(context, forged('portcullis-check'), request)).kind === 'accepted';
}

export interface Trial {
  /** What is wrong with it: `alg none`. */
  readonly what: string;
  readonly token: NamedSecret;
  /** Of its acceptance, where it is not that of the row. */
  readonly severity?: Severity;
}

/** All of them must be refused. */
export async function allRefused(context: CheckContext, trials: readonly Trial[]): Promise<Verdict> {
  const request = await trialRequest(context);
  if (!isRequest(request)) return request;
  const problems: Problem[] = [];
  const evidence: Exchange[] = [];
  let last: Exchange | null = null;
  for (const { what, token, severity } of trials) {
    const { kind, exchange } = await tryToken(context, token, request);
    last = exchange;
    const broke = exchange.status >= 500 && exchange.status !== 503;
    if (kind !== 'accepted' && !broke) continue;
    problems.push(
      broke
        ? { text: `the server failed with ${exchange.status} on a token: ${what}`, severity: 'medium' }
        : { text: `accepted: ${what}`, ...(severity && { severity }) },
    );
    evidence.push(exchange);
  }
  if (problems.length > 0) return fail(problems, evidence);
  return pass(`refused: ${trials.map(({ what }) => what).join(', ')}`, last ? [last] : []);
}
