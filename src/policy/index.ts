export type { Decision, Operation, RateLimit, ToolFacts } from './decision.ts';
export { compileGlob, type Glob } from './glob.ts';
export { compilePolicy, type Policy, type PolicyOptions, type Visibility } from './policy.ts';
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
