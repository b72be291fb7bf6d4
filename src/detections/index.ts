export type { Detection } from './detection.ts';
export type { Threshold, Thresholds } from './engine.ts';
export {
  type Condition,
  type Conditions,
  type Field,
  type Match,
  type Rule,
  type Severity,
  type Shape,
  severities,
} from './rule.ts';
export { configurationKey, rules } from './rules.ts';
export { type SeenStore, seenInMemory } from './seen.ts';
export { openSeenStore } from './seen-store.ts';
export { mostSeen, Watcher, type WatcherOptions } from './watcher.ts';
