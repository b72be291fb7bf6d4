import { readJson, Secret } from '../../base/index.ts';
import { notTested, type Probe } from '../probe.ts';
import { forged } from '../tokens/forge.ts';
import { goodTokenWorks } from '../tokens/good.ts';
import { tokenRemedy } from '../tokens/refused-token.ts';
import { allRefused } from '../tokens/trial.ts';

export const flippedSignature: Probe = {
  id: 'T05',
  title: 'A token that was changed is refused',
  severity: 'critical',
  mode: 'token',
  reference: 'RFC 7515 section 5.2; RFC 9068 section 4',
  guideItems: [5, 12],
  why: 'A server that decodes tokens without verifying them takes any claim that somebody writes into one.',
  remedy: tokenRemedy,
  async run(context) {
    const works = await context.once(goodTokenWorks);
    if (works !== true) return works;
    const text = context.tokens.tokens.good?.secret.reveal() ?? '';
    const parts = text.split('.');
    const changed = flip(text, text.length - 8);
    // One character away from the token itself: nobody is to read it in a report.
    context.door.keep({ name: 'changed', secret: new Secret(changed) });
    const trials = [{ what: 'a character of the signature changed', token: forged(changed) }];
    if (parts.length !== 3)
      return allRefused(context, [{ what: 'a character changed', token: forged(changed) }]);
    const [header = '', payload = '', signature = ''] = parts;
    const claims = widened(payload);
    if (claims === null) return notTested('the token’s claims cannot be read');
    return allRefused(context, [
      ...trials,
      { what: 'the signature left out', token: forged(`${header}.${payload}.`) },
      { what: 'other claims under the old signature', token: forged(`${header}.${claims}.${signature}`) },
    ]);
  },
};

function flip(text: string, at: number): string {
  const other = text.charAt(at) === 'A' ? 'B' : 'A';
  return text.slice(0, at) + other + text.slice(at + 1);
}

/** The same claims with a longer life. */
function widened(payload: string): string | null {
  try {
    const claims = readJson(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
    const exp = typeof claims['exp'] === 'number' ? claims['exp'] + 86_400 : claims['exp'];
    return Buffer.from(JSON.stringify({ ...claims, exp, sub: 'admin' })).toString('base64url');
  } catch {
    return null;
  }
}
