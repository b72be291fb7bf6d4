import type { CheckContext } from '../context.ts';
import { guarded } from '../discovery/openings.ts';
import { notTested, type Verdict } from '../probe.ts';
import { needsToken } from '../somebody.ts';
import { tryToken } from './trial.ts';

/** Whether the good token opens the door: only then does a refusal of another one say something. */
export async function goodTokenWorks(context: CheckContext): Promise<true | Verdict> {
  const { good } = context.tokens.tokens;
  if (good === undefined) return notTested('a good token is needed to compare with', needsToken);
  const request = await context.once(guarded);
  if (request === null) return notTested('nothing here asks for a token, see A01');
  const { kind, exchange } = await tryToken(context, good, request);
  if (kind === 'accepted') return true;
  return notTested(`the good token is not taken (${exchange.status})`, 'a token that the server takes');
}
