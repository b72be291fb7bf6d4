import { lookFor, marks, needsAudit } from '../audit/marks.ts';
import { fail, notTested, type Probe, pass } from '../probe.ts';
import { needsToken } from '../somebody.ts';

export const auditCompleteness: Probe = {
  id: 'P01',
  title: 'Each request is in the audit log',
  severity: 'high',
  mode: 'tokens',
  reference: 'OWASP MCP08; NSA guidance on MCP, logging and detection',
  guideItems: [8],
  why: 'Two hundred denials of one client are an attack. Who logs successes alone sees nothing of it.',
  remedy: {
    words: 'Write one record for each request, refusals included, with the request id that the caller got.',
    express: 'Log in a middleware in front of the token check, on response finish.',
    fastmcp: 'StructuredLoggingMiddleware sees calls, not refusals: log those where the token is checked.',
    portcullis: 'Every request has a record; a call leaves only after its intent is on disk.',
  },
  async run(context) {
    if (context.audit === null) return notTested('the audit log cannot be read', needsAudit);
    const wanted = await context.once(marks);
    const found = await lookFor(context, wanted);
    if (found === null) return notTested('the audit log cannot be read', needsAudit);
    if (found.missing.length > 0)
      return fail(
        found.missing.map(({ what }) => ({ text: `not in the log: a request ${what}` })),
        found.missing.map(({ exchange }) => exchange),
      );
    const asked = wanted.map(({ what }) => what);
    if (!asked.includes('a list'))
      return notTested(`found ${asked.join(' and ')}; calls that are let in were not tried`, needsToken);
    return pass(
      `found by request id: ${asked.join(', ')}`,
      wanted.slice(0, 2).map(({ exchange }) => exchange),
    );
  },
};
