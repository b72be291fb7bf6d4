import { createHash } from 'node:crypto';
import { stringify } from 'yaml';
import { type Condition, type Conditions, type Match, type Rule, rules } from '../../src/detections/index.ts';

/** Rules of the table as Sigma, by file name: what `docs/sigma/` must hold. */
export function sigmaFiles(): Map<string, string> {
  return new Map(rules.filter(isExpressible).map((rule) => [`${rule.id}.yml`, sigmaOf(rule)]));
}

/** What was seen in earlier months is no matter of a rule: Sigma has no word for it. */
export function isExpressible({ shape }: Rule): boolean {
  return shape.kind !== 'first';
}

function sigmaOf(rule: Rule): string {
  const head = {
    title: rule.title,
    id: uuidOf(rule.id),
    status: 'stable',
    description: `Portcullis detection.${rule.id}. ${rule.advice}`,
    references: ['https://modelcontextprotocol.io/specification/2026-07-28/basic/security_best_practices'],
    author: 'Portcullis',
    logsource: { product: 'portcullis', service: 'audit' },
  };
  const tail = { falsepositives: ['see the description'], level: rule.severity };
  if (rule.shape.kind === 'each') return stringify({ ...head, detection: selection(rule), ...tail });
  const name = `portcullis_${rule.id}_match`;
  const base = {
    ...head,
    title: `${rule.title}: one match`,
    name,
    id: uuidOf(`${rule.id} match`),
    detection: selection(rule),
    level: 'informational',
  };
  const correlations = rule.by.map((fields) => {
    const by = fields.length === 0 ? 'all' : fields.at(-1);
    return {
      title: rule.by.length === 1 ? rule.title : `${rule.title} (by ${by})`,
      id: uuidOf(`${rule.id} ${fields.join(' ')}`),
      status: 'stable',
      description: head.description,
      correlation: {
        type: rule.shape.kind === 'distinct' ? 'value_count' : 'event_count',
        rules: [name],
        ...(fields.length > 0 && { 'group-by': fields.map(sigmaField) }),
        timespan: `${rule.withinMs / 60_000}m`,
        condition: {
          ...(rule.shape.kind === 'distinct' && { field: sigmaField(rule.shape.of) }),
          gte: rule.count,
        },
      },
      ...tail,
    };
  });
  return [base, ...correlations].map((document) => stringify(document, { lineWidth: 0 })).join('---\n');
}

/** `network` is computed by the gateway; Sigma counts addresses instead, which tells of more. */
function sigmaField(field: string): string {
  return field === 'network' ? 'address' : field;
}

function selection({ matches }: Rule): object {
  const found: Record<string, unknown> = {};
  const terms = matches.map((match, index) => {
    const suffix = matches.length === 1 ? '' : `_${index + 1}`;
    found[`selection${suffix}`] = mapOf(match);
    if (!match.except) return `selection${suffix}`;
    found[`filter${suffix}`] = conditionsOf(match.except);
    return matches.length === 1 ? `selection and not filter` : `(selection${suffix} and not filter${suffix})`;
  });
  return { ...found, condition: terms.join(' or ') };
}

function mapOf({ on, where }: Match): object {
  return { phase: on === 'call' ? 'outcome' : 'event', ...conditionsOf(where) };
}

function conditionsOf(conditions: Conditions): object {
  return Object.fromEntries(
    Object.entries(conditions).map(([field, condition]) => {
      const wanted = condition as Condition;
      if (wanted === 'present') return [`${field}|exists`, true];
      if ('startsWith' in wanted) return [`${field}|startswith`, wanted.startsWith];
      const values = wanted.map((value) =>
        value === 'true' || value === 'false' ? value === 'true' : value,
      );
      return [field, values.length === 1 ? values[0] : values];
    }),
  );
}

/** Ids of Sigma rules are UUIDs and must stay: version 8 (RFC 9562) from the name. */
function uuidOf(name: string): string {
  const hex = createHash('sha256').update(`portcullis sigma ${name}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
