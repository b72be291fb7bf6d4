import { type Observation, valuesOf } from './observation.ts';
import type { Condition, Conditions, Field, Match } from './rule.ts';

type Test = (observation: Observation) => boolean;
type OneValue = (value: string) => boolean;

/** Compiles the conditions of a rule once. */
export function compileMatch({ on, where, except }: Match): Test {
  const required = testsOf(where);
  const excluded = testsOf(except ?? {});
  return (observation) => {
    if (observation.on !== on) return false;
    for (const test of required) if (!test(observation)) return false;
    for (const test of excluded) if (test(observation)) return false;
    return true;
  };
}

function testsOf(conditions: Conditions): Test[] {
  return Object.entries(conditions).map(([field, condition]) => {
    const fits = testOf(condition as Condition);
    return (observation) => {
      for (const value of valuesOf(observation, field as Field)) if (fits(value)) return true;
      return false;
    };
  });
}

function testOf(condition: Condition): OneValue {
  if (condition === 'present') return () => true;
  if ('startsWith' in condition) return (value) => value.startsWith(condition.startsWith);
  const wanted = new Set(condition);
  return (value) => wanted.has(value);
}
