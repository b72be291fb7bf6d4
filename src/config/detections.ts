import { z } from 'zod';
import { configurationKey, type Rule, rules, type Thresholds } from '../detections/index.ts';
import { parseDuration } from './units.ts';
import { duration } from './values.ts';

/** State of one key is as large as the count. */
const mostCount = 500;
const sizes = [
  [3_600_000, 'h'],
  [60_000, 'm'],
  [1_000, 's'],
] as const;

/**
 * One key for each detection. There is none to switch one off: a threshold that is never reached would be found in the
 * configuration's own words, `count: 500`.
 */
export const detections = z.strictObject(
  Object.fromEntries(rules.map((rule) => [configurationKey(rule.id), threshold(rule)])),
);

function threshold(rule: Rule) {
  const within = duration.default(written(rule.withinMs));
  const count = z.int().min(2).max(mostCount).default(rule.count);
  const known = { description: `${rule.title}.` };
  if (rule.count === 1) return z.strictObject({ within }).prefault({}).meta(known);
  return z.strictObject({ count, within }).prefault({}).meta(known);
}

export function resolveDetections(file: z.output<typeof detections>): Thresholds {
  return Object.fromEntries(
    Object.entries(file).map(([key, set]) => {
      const count = 'count' in set ? Number(set.count) : 1;
      return [key, { count, withinMs: parseDuration(set.within) ?? 0 }];
    }),
  );
}

function written(ms: number): string {
  const [size, unit] = sizes.find(([one]) => ms % one === 0) ?? [1, 'ms'];
  return `${ms / size}${unit}`;
}
