import { guarded } from '../discovery/openings.ts';
import { fail, notTested, type Probe, pass } from '../probe.ts';
import { revoke } from '../tokens/authorization-requests.ts';
import { goodTokenWorks } from '../tokens/good.ts';
import { tryToken } from '../tokens/trial.ts';

/** Longer than anybody should wait for a stolen token to die. */
const usualMs = 60_000;
const goodMs = 10_000;

export const revocation: Probe = {
  id: 'T11',
  title: 'A revoked token dies soon',
  severity: 'medium',
  mode: 'tokens',
  reference: 'RFC 7009; RFC 7662; RFC 9700 section 4.14',
  guideItems: [5],
  why: 'After a theft the time until a token dies is the time the thief has.',
  remedy: {
    words:
      'Ask the issuer by introspection with a short cache, or keep a deny list; else keep tokens very short.',
    fastmcp: 'IntrospectionTokenVerifier instead of JWTVerifier.',
    sdk: 'introspect in verifyAccessToken.',
    portcullis: 'auth.revocation: { withinSeconds: 5 }; verify: introspection for tokens of other issuers.',
  },
  async run(context) {
    const { tokens, disposable } = context.tokens;
    const revocable = tokens.revocable ?? (disposable ? tokens.good : undefined);
    const request = await context.once(guarded);
    if (revocable === undefined || context.tokens.client === null)
      return notTested(
        'there is no token to give up',
        '--login, or --tokens FILE with "revocable", "client" and "issuer"',
      );
    if (request === null) return notTested('nothing here asks for a token, see A01');
    const works = await context.once(goodTokenWorks);
    if (works !== true) return works;
    if ((await tryToken(context, revocable, request)).kind !== 'accepted')
      return notTested('the token to give up is not taken', 'a token that the server takes');
    if (!(await revoke(context, revocable)))
      return notTested('the issuer does not revoke the token (RFC 7009)');
    const longestMs = context.revocationMs ?? usualMs;
    const started = context.clock.monotonic();
    for (
      let passed = 0;
      passed < longestMs && context.door.over === null;
      passed = context.clock.monotonic() - started
    ) {
      const { kind, exchange } = await tryToken(context, revocable, request);
      const seconds = Math.round((context.clock.monotonic() - started) / 100) / 10;
      if (kind === 'refused') {
        const text = `refused ${seconds} s after it was revoked`;
        return passed <= goodMs ? pass(text, [exchange]) : fail(text, [exchange]);
      }
      await context.door.pause(250);
    }
    return fail(`still taken ${longestMs / 1000} s after it was revoked`);
  },
};
