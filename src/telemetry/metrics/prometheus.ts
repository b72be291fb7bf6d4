import { neutralLine } from '../../base/index.ts';
import type { HistogramValue, Metric, Pair, Point } from './registry.ts';

/** The text format, version 0.0.4, which every Prometheus reads. */
export const prometheusType = 'text/plain; version=0.0.4; charset=utf-8';

/** Names and units as OpenTelemetry's rules for Prometheus translate them. */
export function prometheusText(metrics: readonly Metric[], resource: readonly Pair[]): string {
  const info = `# HELP target_info Who this is.\n# TYPE target_info gauge\ntarget_info${labels(resource)} 1\n`;
  return info + metrics.map(family).join('');
}

function family(metric: Metric): string {
  const name = nameOf(metric);
  const type = metric.kind === 'sum' ? 'counter' : metric.kind;
  const lines = metric.points.map((point) => sample(name, point, metric.bounds)).join('');
  return `# HELP ${name} ${escaped(metric.text, false)}\n# TYPE ${name} ${type}\n${lines}`;
}

function sample(name: string, { attributes, value }: Point, bounds: readonly number[]): string {
  if (typeof value === 'number') return `${name}${labels(attributes)} ${numberText(value)}\n`;
  return histogram(name, attributes, { value, bounds });
}

function histogram(
  name: string,
  attributes: readonly Pair[],
  { value, bounds }: { readonly value: HistogramValue; readonly bounds: readonly number[] },
): string {
  const own = labels(attributes);
  // Made once: a series has many buckets, and a scrape many series.
  const before = own === '' ? `${name}_bucket{le="` : `${name}_bucket${own.slice(0, -1)},le="`;
  let below = 0;
  const buckets = value.counts.map((count, index) => {
    below += count;
    const end = bounds[index];
    return `${before}${end === undefined ? '+Inf' : numberText(end)}"} ${below}\n`;
  });
  return `${buckets.join('')}${name}_sum${own} ${numberText(value.sum)}\n${name}_count${own} ${value.count}\n`;
}

const units: Readonly<Record<string, string>> = { s: '_seconds', By: '_bytes', '1': '_ratio' };

function nameOf({ name, unit, kind }: Metric): string {
  const suffix = units[unit] ?? '';
  return `${word(name)}${suffix}${kind === 'sum' ? '_total' : ''}`;
}

function word(name: string): string {
  return name.replace(/[^a-zA-Z0-9_]/g, '_');
}

/** A series keeps its attributes, so its labels are written once. */
const written = new WeakMap<readonly Pair[], string>();

function labels(pairs: readonly Pair[]): string {
  if (pairs.length === 0) return '';
  const known = written.get(pairs);
  if (known !== undefined) return known;
  const text = `{${pairs.map(([key, value]) => `${word(key)}="${escaped(value, true)}"`).join(',')}}`;
  written.set(pairs, text);
  return text;
}

/** A value that could end its line would be taken for another sample. */
function escaped(text: string, quoted: boolean): string {
  const safe = neutralLine(text).replaceAll('\\', '\\\\');
  return quoted ? safe.replaceAll('"', '\\"') : safe;
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}
