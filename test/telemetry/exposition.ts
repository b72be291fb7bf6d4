/** One line of the text format, read strictly. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const namePattern = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const labelPattern = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\\\\\|\\\\"|\\\\n)*"';
const samplePattern = new RegExp(
  `^(${namePattern})(?:\\{(${labelPattern}(?:,${labelPattern})*)\\})? (\\S+)$`,
);

/**
 * Reads Prometheus's text format 0.0.4; throws on any line that is not of it, on samples outside of their family, on a series that
 * comes twice, and on histograms that do not add up.
 */
export function readExposition(text: string): Sample[] {
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const types = new Map<string, string>();
  const seen = new Set<string>();
  const samples: Sample[] = [];
  let family = '';
  for (const line of text.slice(0, -1).split('\n')) {
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (keyword === 'HELP') family = name;
    else if (keyword === 'TYPE') {
      if (name !== family || types.has(name)) throw new Error(`TYPE is out of place: ${line}`);
      if (!['counter', 'gauge', 'histogram'].includes(rest)) throw new Error(`no type: ${line}`);
      types.set(name, rest);
    } else {
      const sample = readSample(line);
      const base =
        types.get(family) === 'histogram' ? sample.name.replace(/_(bucket|sum|count)$/, '') : sample.name;
      if (base !== family) throw new Error(`outside of its family: ${line}`);
      const id = line.slice(0, line.lastIndexOf(' '));
      if (seen.has(id)) throw new Error(`twice: ${id}`);
      seen.add(id);
      samples.push(sample);
    }
  }
  for (const [name, type] of types) if (type === 'histogram') checkHistogram(name, samples);
  return samples;
}

function readSample(line: string): Sample {
  const [, name, labels = '', value = ''] = samplePattern.exec(line) ?? [];
  if (name === undefined) throw new Error(`no sample: ${JSON.stringify(line)}`);
  const number = value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value);
  if (Number.isNaN(number) && value !== 'NaN') throw new Error(`no number: ${line}`);
  const pairs = [...labels.matchAll(new RegExp(labelPattern, 'g'))].map(([pair]) => {
    const at = pair.indexOf('=');
    const raw = pair.slice(at + 2, -1);
    return [
      pair.slice(0, at),
      raw.replace(/\\(.)/g, (_, one: string) => (one === 'n' ? '\n' : one)),
    ] as const;
  });
  if (new Set(pairs.map(([key]) => key)).size !== pairs.length) throw new Error(`a label twice: ${line}`);
  return { name, labels: Object.fromEntries(pairs), value: number };
}

function checkHistogram(name: string, samples: readonly Sample[]): void {
  const withoutEnd = ({ labels }: Sample) => JSON.stringify({ ...labels, le: undefined });
  const buckets = samples.filter((sample) => sample.name === `${name}_bucket`);
  for (const count of samples.filter((sample) => sample.name === `${name}_count`)) {
    const own = buckets.filter((bucket) => withoutEnd(bucket) === withoutEnd(count));
    const values = own.map(({ value }) => value);
    if (own.at(-1)?.labels['le'] !== '+Inf' || values.at(-1) !== count.value)
      throw new Error(`${name} does not end with all`);
    if (values.some((value, index) => value < (values[index - 1] ?? 0))) throw new Error(`${name} falls`);
  }
}

/** The number of the one series that has these labels; the sum where several do. */
export function numberOf(
  samples: readonly Sample[],
  name: string,
  labels: Record<string, string> = {},
): number {
  return samples
    .filter((sample) => sample.name === name)
    .filter((sample) => Object.entries(labels).every(([key, value]) => sample.labels[key] === value))
    .reduce((sum, { value }) => sum + value, 0);
}
