import { messageOf } from '../../base/index.ts';
import { inspectTls, type TlsFacts } from '../../outbound/index.ts';
import type { CheckContext } from '../context.ts';
import { type Exchange, headerOf, isSuccess } from '../exchange.ts';
import { mcpAsk } from '../mcp.ts';
import { fail, notTested, type Probe, type Problem, pass, verdictOf } from '../probe.ts';

const timeoutMs = 5_000;
const halfYear = 15_768_000;

export const tls: Probe = {
  id: 'H05',
  title: 'HTTPS only',
  severity: 'high',
  mode: 'none',
  reference: 'OAuth 2.1 section 1.5; RFC 6797; RFC 9325',
  guideItems: [11],
  // A certificate that nobody trusts is why nothing is answered.
  beforeAnswers: true,
  why: 'A token that crosses the network in the clear belongs to everyone on the way, also when the answer is only a redirect.',
  remedy: {
    words:
      'Serve TLS 1.2 or newer with a trusted certificate, send Strict-Transport-Security, and close port 80 or let it redirect without asking for a token.',
    express: 'Terminate TLS at the proxy and send HSTS there; listen on loopback behind it.',
    gateway: 'No plain listener for the MCP paths.',
    portcullis: 'tls: { cert: …, key: { file: … } }; plain HTTP is served on loopback alone.',
  },
  async run(context) {
    const { target } = context;
    if (target.protocol === 'http:' && context.door.answered === 0)
      return notTested('the server does not answer');
    if (target.protocol === 'https:') return overTls(context);
    const loopback = /^(127\.\d+\.\d+\.\d+|localhost|\[::1\])$/.test(target.hostname);
    if (loopback) return pass('plain HTTP, but on loopback alone');
    const severity = context.isPrivate ? 'high' : 'critical';
    return fail({ text: 'the endpoint is plain HTTP: tokens cross the network in the clear', severity });
  },
};

async function overTls(context: CheckContext) {
  const problems: Problem[] = [];
  const evidence: Exchange[] = [];
  const facts = await factsOf(context);
  if (typeof facts === 'string' && !/ERR_SSL|EPROTO/.test(facts)) return notTested(facts);
  if (typeof facts === 'string') problems.push({ text: `no handshake: ${facts}` });
  else if (facts.untrusted) problems.push({ text: `the certificate is not trusted: ${facts.untrusted}` });
  if (typeof (await factsOf(context, 'TLSv1.1')) !== 'string')
    problems.push({ text: 'TLS 1.1 or older is taken', severity: 'medium' });
  const secure = await context.door.ask(mcpAsk({ method: 'tools/list', era: 'modern' }));
  const hsts = /max-age="?(\d+)/i.exec(headerOf(secure, 'strict-transport-security') ?? '')?.[1];
  if (secure.status !== 0 && (hsts === undefined || Number(hsts) < halfYear)) {
    problems.push({ text: 'no Strict-Transport-Security of at least half a year', severity: 'low' });
    evidence.push(secure);
  }
  const plain = await plainVariant(context);
  if (plain && (isSuccess(plain) || plain.status === 401)) {
    problems.push({ text: `http:// answers with ${plain.status}: clients send their token there` });
    evidence.push(plain);
  }
  return verdictOf(problems, typeof facts === 'string' ? '' : `${facts.protocol}, trusted`, evidence);
}

async function factsOf(
  { target, isPrivate, addresses }: CheckContext,
  maxVersion?: 'TLSv1.1',
): Promise<TlsFacts | string> {
  const reach = isPrivate ? 'any' : 'public';
  try {
    return await inspectTls({
      url: target,
      reach,
      timeoutMs,
      ...(isPrivate && { addresses }),
      ...(maxVersion && { maxVersion }),
    });
  } catch (error) {
    return messageOf(error);
  }
}

/** Port 80 of the same name, without a token. On another port than 443, plain text to the same port. */
async function plainVariant({ door, target }: CheckContext): Promise<Exchange | null> {
  const url = new URL(target);
  url.protocol = 'http:';
  const exchange = await door.ask({ ...mcpAsk({ method: 'tools/list', era: 'modern' }), url, timeoutMs });
  return exchange.status === 0 ? null : exchange;
}
