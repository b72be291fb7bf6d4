import type { Expression } from './library.ts';
import { checkLiteral, stringOf } from './literals.ts';
import { overloaded } from './signatures.ts';
import { TypeFault } from './type-fault.ts';
import { describeType, fits, isComparable, isList, isRecord, join, type Type } from './types.ts';

// The library's own checker knows constants and names alone (0.6.1). This one reads the signatures of the library's functions, so that what
// would be an error of every call is found when the configuration is loaded.

export interface Checked {
  readonly type: Type;
  /** Variables that it reads. */
  readonly reads: ReadonlySet<string>;
  /** Names of members that it reads of what has no known members: of `args`, at any depth. */
  readonly members: ReadonlySet<string>;
}

/** An expression within another's members multiplies what it costs; two levels are as many as people write. */
const maxNesting = 2;
/** Of the syntax tree. */
const maxNodes = 500;

type Kind<Case extends string> = Extract<Expression['exprKind'], { case: Case }>['value'];

export class TypeCheck {
  readonly #variables: Readonly<Record<string, Type>>;
  readonly #locals: { readonly name: string; readonly type: Type }[] = [];
  readonly #reads = new Set<string>();
  readonly #members = new Set<string>();
  #nodes = 0;
  #nesting = 0;

  constructor(variables: Readonly<Record<string, Type>>) {
    this.#variables = variables;
  }

  /** @throws TypeFault */
  check(expression: Expression): Checked {
    return { type: this.#typeOf(expression), reads: this.#reads, members: this.#members };
  }

  #typeOf(expression: Expression | undefined): Type {
    if (expression === undefined) return 'dyn';
    const { id, exprKind: kind } = expression;
    if (++this.#nodes > maxNodes)
      throw new TypeFault(id, 'is too long', { hint: 'write several rules instead' });
    switch (kind.case) {
      case 'constExpr':
        return constantType(kind.value);
      case 'identExpr':
        return this.#name(id, kind.value.name);
      case 'selectExpr':
        return this.#select(id, kind.value);
      case 'listExpr':
        return { list: this.#common(kind.value.elements) };
      case 'structExpr':
        return this.#map(id, kind.value);
      case 'comprehensionExpr':
        return this.#comprehension(id, kind.value);
      case 'callExpr':
        return this.#call(id, kind.value);
      default:
        throw new TypeFault(id, 'cannot be read');
    }
  }

  #name(id: bigint, written: string): Type {
    const name = written.replace(/^\./, '');
    const local = this.#locals.findLast((one) => one.name === name);
    if (local) return local.type;
    const type = Object.hasOwn(this.#variables, name) ? this.#variables[name] : undefined;
    if (type !== undefined) {
      this.#reads.add(name);
      return type;
    }
    if (typeNames.has(name)) return 'type';
    throw new TypeFault(id, `knows no ${name}`, {
      names: { typed: name, known: Object.keys(this.#variables) },
    });
  }

  #select(id: bigint, { operand, field, testOnly }: Kind<'selectExpr'>): Type {
    const of = this.#typeOf(operand);
    const type = this.#member(id, of, field);
    return testOnly ? 'bool' : type;
  }

  #member(id: bigint, of: Type, field: string): Type {
    if (of === 'dyn' || of === 'map') {
      this.#members.add(field);
      return 'dyn';
    }
    if (!isRecord(of))
      throw new TypeFault(id, `reads .${field} of ${describeType(of)}, which has no members`);
    const type = Object.hasOwn(of.members, field) ? of.members[field] : undefined;
    if (type !== undefined) return type;
    throw new TypeFault(id, `has no member ${field} there`, {
      names: { typed: field, known: Object.keys(of.members) },
    });
  }

  #common(expressions: readonly Expression[]): Type {
    const types = expressions.map((one) => this.#typeOf(one));
    return types.length === 0 ? 'dyn' : types.reduce(join);
  }

  #map(id: bigint, { messageName, entries }: Kind<'structExpr'>): Type {
    if (messageName !== '') throw new TypeFault(id, `cannot make a ${messageName}`);
    for (const { keyKind, value } of entries) {
      if (keyKind.case === 'mapKey') this.#typeOf(keyKind.value);
      this.#typeOf(value);
    }
    return 'map';
  }

  #comprehension(id: bigint, fold: Kind<'comprehensionExpr'>): Type {
    const range = this.#typeOf(fold.iterRange);
    if (range !== 'dyn' && range !== 'map' && !isList(range)) {
      throw new TypeFault(id, `goes through ${describeType(range)}; only lists and maps have elements`);
    }
    if (Object.hasOwn(this.#variables, fold.iterVar)) {
      throw new TypeFault(id, `calls an element ${fold.iterVar}, which has a meaning here`, {
        hint: 'call it x',
      });
    }
    if (++this.#nesting > maxNesting) {
      throw new TypeFault(id, `goes through lists within lists more than ${maxNesting} deep`);
    }
    const result = this.#typeOf(fold.accuInit);
    const locals = this.#locals.length;
    this.#locals.push({ name: fold.accuVar, type: isList(result) ? { list: 'dyn' } : result });
    this.#locals.push({
      name: fold.iterVar,
      type: isList(range) ? range.list : range === 'map' ? 'string' : 'dyn',
    });
    this.#typeOf(fold.loopCondition);
    this.#typeOf(fold.loopStep);
    this.#locals.length = locals + 1;
    const type = this.#typeOf(fold.result);
    this.#locals.length = locals;
    this.#nesting--;
    return type;
  }

  #call(id: bigint, { function: name, target, args }: Kind<'callExpr'>): Type {
    checkLiteral(id, name, args);
    const on = target === undefined ? null : this.#typeOf(target);
    const types = args.map((one) => this.#typeOf(one));
    const [first = 'dyn', second = 'dyn', third = 'dyn'] = types;
    switch (name) {
      case '_?_:_':
        this.#mustBeBool(id, first, '?');
        return join(second, third);
      case '_&&_':
      case '_||_':
        for (const type of types) this.#mustBeBool(id, type, name.slice(1, -1));
        return 'bool';
      case '@not_strictly_false':
        return 'bool';
      case '_[_]':
        return this.#index(id, { of: first, key: second, written: args[1] });
      case '_==_':
      case '_!=_':
        if (!isComparable(first, second))
          throw new TypeFault(id, `compares ${describeType(first)} with ${describeType(second)}`);
        return 'bool';
      case '@in':
        if (isList(second) && !isComparable(first, second.list))
          throw new TypeFault(id, `looks for ${describeType(first)} in a list of others`);
        return overloaded(id, name, { on, types });
      default:
        return overloaded(id, name, { on, types });
    }
  }

  #index(id: bigint, { of, key, written }: { of: Type; key: Type; written: Expression | undefined }): Type {
    const literal = stringOf(written);
    if (literal !== null) return this.#member(id, of, literal);
    if (isList(of)) {
      if (!fits(key, 'int')) throw new TypeFault(id, `takes ${describeType(key)} as the place in a list`);
      return of.list;
    }
    if (of === 'dyn' || of === 'map') return 'dyn';
    throw new TypeFault(id, `reads […] of ${describeType(of)}`);
  }

  #mustBeBool(id: bigint, type: Type, operator: string): void {
    if (!fits(type, 'bool'))
      throw new TypeFault(id, `has ${describeType(type)} beside ${operator}, which takes true or false`);
  }
}

const typeNames: ReadonlySet<string> = new Set([
  ...['int', 'uint', 'double', 'bool', 'string', 'bytes', 'list', 'map', 'null_type', 'type'],
]);

function constantType({ constantKind: { case: kind } }: Kind<'constExpr'>): Type {
  const types: Readonly<Record<string, Type>> = {
    boolValue: 'bool',
    int64Value: 'int',
    uint64Value: 'uint',
    doubleValue: 'double',
    stringValue: 'string',
    bytesValue: 'bytes',
    nullValue: 'null',
  };
  return types[kind ?? ''] ?? 'dyn';
}
