import { canary, lookFor, marks, needsAudit } from '../audit/marks.ts';
import { fail, notTested, type Probe, type Problem, pass } from '../probe.ts';

export const canaryAbsent: Probe = {
  id: 'P02',
  title: 'No token is in the audit log',
  severity: 'critical',
  mode: 'tokens',
  reference: 'OWASP MCP01; CWE-532',
  guideItems: [9],
  why: 'Many people and systems read logs. A token in one is a token in all of them.',
  remedy: {
    words: 'Log the token’s id (jti) or a digest, never the header. Redact in the logger, not at each call.',
    express: 'pino({ redact: ["req.headers.authorization"] }).',
    gateway: 'Leave Authorization, Cookie and query strings out of access logs.',
    portcullis: 'Tokens are never handed to the log; what looks like one is redacted.',
  },
  async run(context) {
    if (context.audit === null) return notTested('the audit log cannot be read', needsAudit);
    const found = await lookFor(context, await context.once(marks));
    if (found === null || found.text === '') return notTested('the audit log is empty');
    const sent = await context.once(canary);
    const problems: Problem[] = [];
    if (found.text.includes(sent))
      problems.push({ text: 'a bad token that was sent is in the log, word for word' });
    for (const { name, secret } of context.door.secrets) {
      const text = secret.reveal();
      // The claims of a JWT alone open nothing; its signature does.
      const signature = text.split('.').length === 3 ? (text.split('.')[2] ?? text) : text;
      if (signature.length > 20 && found.text.includes(signature))
        problems.push({ text: `the ${name} token is in the log` });
    }
    return problems.length > 0 ? fail(problems) : pass(`not among ${found.text.length} characters of log`);
  },
};
