import type { Declared, DeclaredStatement } from '../../check/index.ts';
import type { Explained } from '../../config/index.ts';

/** What a configuration of ours says about things that nobody sees from outside. A configuration with a literal secret has no `explain`. */
export function declaredBy(file: string, explained: readonly Explained[]): Declared {
  const values = new Map(explained.map(({ path, value }) => [path, value]));
  const below = (start: string) =>
    explained.filter(
      ({ path }) => path === start || path.startsWith(`${start}.`) || path.startsWith(`${start}[`),
    );
  const say = (subject: DeclaredStatement['subject'], good: boolean, text: string): DeclaredStatement => ({
    subject,
    good,
    text,
  });
  const keep = values.get('audit.keep');
  const copies = below('audit.also')
    .map(({ path, value }) => ({ kind: /^audit\.also\[\d+\]\.(\w+)/.exec(path)?.[1] ?? '', value }))
    .filter(({ kind, value }) => ['file', 'stdout', 'otlp', 'webhook'].includes(kind) && isSet(value));
  const signed = isSet(values.get('audit.checkpoints.to') ?? 'none');
  const publicUrl = values.get('publicUrl') ?? '';
  const organization = values.get('limits.organization') ?? 'none';
  const destructive = explained.some(
    ({ path, value }) => /^tools\[\d+\]\.confirm$/.test(path) && value !== 'none',
  );
  const encrypted =
    values.get('tls') !== 'none' || below('trustedProxies').some(({ value }) => value !== '[]');
  const weak = explained.filter(
    ({ path, value }) => /^auth\.issuers\[\d+\]\.audience$/.test(path) && value.startsWith('none'),
  );
  return {
    source: file,
    statements: [
      say('secrets', true, 'every secret is a reference'),
      say(
        'audit',
        copies.length > 0 || signed,
        elsewhereText([...new Set(copies.map(({ kind }) => kind))], signed),
      ),
      ...(keep === undefined ? [] : [say('retention', daysOf(keep) >= 365, `the log is kept for ${keep}`)]),
      say(
        'tls',
        encrypted || isLoopback(publicUrl),
        encrypted
          ? 'TLS ends in the process or at a named proxy'
          : isLoopback(publicUrl)
            ? 'loopback alone'
            : 'there is neither tls nor a trusted proxy',
      ),
      say(
        'limits',
        organization !== 'none',
        organization === 'none' ? 'an organization has no limit' : `an organization may call ${organization}`,
      ),
      say(
        'approvals',
        destructive,
        destructive ? 'a rule asks for a confirmation' : 'no rule asks for a confirmation',
      ),
      say(
        'audience',
        weak.length === 0,
        weak.length === 0
          ? 'each token must name this server'
          : 'tokens of an issuer are taken by client instead of audience',
      ),
    ],
  };
}

function isSet(value: string): boolean {
  return !/^(none|null|\[\]|\{\}|false)/.test(value);
}

/** Whether a file lies on another machine is nothing that its path says. */
function elsewhereText(kinds: readonly string[], signed: boolean): string {
  const all = [
    ...(kinds.length > 0 ? [`records are copied (${kinds.join(', ')})`] : []),
    ...(signed ? ['signed checkpoints are copied to a file'] : []),
  ];
  return all.length > 0 ? all.join(', ') : 'the log stays in one place';
}

function daysOf(text: string): number {
  const match = /^(\d+)\s*(d|y)$/.exec(text);
  return match ? Number(match[1]) * (match[2] === 'y' ? 365 : 1) : 0;
}

function isLoopback(url: string): boolean {
  return /^http:\/\/(127\.|localhost|\[::1\])/.test(url);
}
