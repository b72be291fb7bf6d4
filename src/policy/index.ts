export type { Decision, HeaderParameter, Operation, RateLimit, ToolFacts } from './decision.ts';
