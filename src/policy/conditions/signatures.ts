import { conditionEnvironment } from './environment.ts';
import { TypeFault } from './type-fault.ts';
import { describeType, fits, join, type Overload, overloadOf, type Type } from './types.ts';

let signatures: ReadonlyMap<string, readonly Overload[]> | null = null;

function signaturesOf(name: string): readonly Overload[] | undefined {
  if (signatures === null) {
    const found = new Map<string, Overload[]>();
    for (const func of conditionEnvironment().cel.funcs)
      found.set(func.name, [...(found.get(func.name) ?? []), overloadOf(func)]);
    signatures = found;
  }
  return signatures.get(name);
}

/** What a function gives for arguments of these types. @throws TypeFault where it does not take them */
export function overloaded(
  id: bigint,
  name: string,
  { on, types }: { on: Type | null; types: readonly Type[] },
): Type {
  const known = signaturesOf(name);
  if (known === undefined) {
    const names = [...(signatures?.keys() ?? [])].filter((one) => /^[a-z]/i.test(one));
    throw new TypeFault(id, `knows no function ${name}`, {
      names: { typed: name, known: [...names, 'has', 'all', 'exists', 'exists_one', 'filter', 'map'] },
    });
  }
  const fitting = known.filter(
    ({ target, parameters }) =>
      (target === null) === (on === null) &&
      (target === null || on === null || fits(on, target)) &&
      parameters.length === types.length &&
      parameters.every((wanted, at) => fits(types[at] ?? 'dyn', wanted)),
  );
  const [first, ...more] = fitting.map(({ result }) => result);
  if (first !== undefined) return more.reduce(join, first);
  const given = [...(on === null ? [] : [on]), ...types].map(describeType).join(' and ');
  throw new TypeFault(id, `${name.replace(/[_@]/g, '')} does not take ${given || 'nothing'}`);
}
