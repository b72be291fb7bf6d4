import type { CelFunc, CelType } from '@bufbuild/cel';

/** Types of expressions, as far as they can be known at load. `dyn`: whatever the caller sent. */
export type Type =
  | 'bool'
  | 'int'
  | 'uint'
  | 'double'
  | 'string'
  | 'bytes'
  | 'null'
  | 'timestamp'
  | 'duration'
  | 'type'
  | 'map'
  | 'dyn'
  | ListType
  | RecordType;

export interface ListType {
  readonly list: Type;
}

/** A variable of ours, whose members are known. */
export interface RecordType {
  readonly members: Readonly<Record<string, Type>>;
}

const inWords: Readonly<Record<string, string>> = {
  bool: 'true or false',
  int: 'a whole number',
  uint: 'a whole number',
  double: 'a number',
  string: 'a text',
  bytes: 'bytes',
  null: 'null',
  timestamp: 'a time',
  duration: 'a duration',
  type: 'a type',
  map: 'a map',
  dyn: 'a value',
};

export function describeType(type: Type): string {
  if (typeof type === 'string') return inWords[type] ?? type;
  return 'list' in type ? 'a list' : 'a map';
}

export const isList = (type: Type): type is ListType => typeof type === 'object' && 'list' in type;
export const isRecord = (type: Type): type is RecordType => typeof type === 'object' && 'members' in type;

const numbers: ReadonlySet<Type> = new Set<Type>(['int', 'uint', 'double']);

/** Whether a value of the one could ever equal a value of the other. Numbers compare across their types. */
export function isComparable(a: Type, b: Type): boolean {
  if (a === 'dyn' || b === 'dyn' || a === b) return true;
  if (numbers.has(a) && numbers.has(b)) return true;
  if (isList(a) && isList(b)) return isComparable(a.list, b.list);
  return (a === 'map' || isRecord(a)) && (b === 'map' || isRecord(b));
}

/** Whether an argument may be handed where a function takes `wanted`. */
export function fits(type: Type, wanted: Type): boolean {
  if (type === 'dyn' || wanted === 'dyn' || type === wanted) return true;
  if (wanted === 'map') return isRecord(type);
  return isList(wanted) && isList(type) && fits(type.list, wanted.list);
}

/** The type of a value that is either. */
export function join(a: Type, b: Type): Type {
  if (a === b) return a;
  return isList(a) && isList(b) ? { list: join(a.list, b.list) } : 'dyn';
}

export interface Overload {
  readonly target: Type | null;
  readonly parameters: readonly Type[];
  readonly result: Type;
}

export function overloadOf(func: CelFunc): Overload {
  return {
    target: func.target ? typeOf(func.target) : null,
    parameters: func.arguments.map(typeOf),
    result: typeOf(func.result),
  };
}

function typeOf(type: CelType): Type {
  switch (type.kind) {
    case 'scalar':
      return type.name === 'null_type' ? 'null' : type.name;
    case 'list':
      return { list: typeOf(type.element) };
    case 'map':
      return 'map';
    default:
      return type.name.endsWith('Duration') ? 'duration' : 'timestamp';
  }
}
