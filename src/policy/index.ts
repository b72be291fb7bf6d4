export {
  type ArgumentsCheck,
  type ArgumentsVerdict,
  createArgumentsCheck,
  type SchemaFinding,
} from './arguments.ts';
export { type CallerView, compileCondition, isConditionFault } from './conditions/index.ts';
export type {
  Asking,
  Decision,
  FieldRule,
  Operation,
  RateLimit,
  ToolCapture,
  ToolFacts,
  ToolLimit,
} from './decision.ts';
export { compileGlob, type Glob } from './glob.ts';
export { compilePolicy, type Policy, type PolicyOptions, type ToolOperation, type Trace } from './policy.ts';
export type { Attribute, ToolRules } from './rule.ts';
export {
  builtInScopes,
  challengeScopes,
  describeScope,
  type Granted,
  satisfies,
  scopeDescriptions,
  standardScopes,
} from './scopes.ts';
export type { Listing, Visibility } from './tool.ts';
