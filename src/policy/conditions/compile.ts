import { messageOf } from '../../base/index.ts';
import type { JsonObject } from '../../protocol/index.ts';
import { ambiguousMember } from './ambiguous.ts';
import { viewOfObject } from './arguments.ts';
import { type ConditionEnvironment, conditionEnvironment } from './environment.ts';
import { library } from './library.ts';
import { TypeCheck } from './type-check.ts';
import { TypeFault } from './type-fault.ts';
import type { Type } from './types.ts';

/** What a condition can see of a call. */
export interface Circumstances {
  readonly tool: ToolView;
  /** Attacker-controlled. Null where there are none yet (`tools/list`): conditions that read them are not asked then. */
  readonly args: JsonObject | null;
  readonly caller: CallerView;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

export interface ToolView {
  readonly name: string;
  readonly server: string;
  readonly readOnly: boolean;
  readonly destructive: boolean;
  readonly idempotent: boolean;
  readonly openWorld: boolean;
}

/** From the verified token alone. */
export interface CallerView {
  readonly subject: string;
  readonly issuer: string;
  readonly client: string;
  readonly organization: string;
  readonly scopes: readonly string[];
}

export type Variable = 'tool' | 'args' | 'caller' | 'now';

/** The expression of a rule's `when`, compiled. */
export interface Condition {
  readonly text: string;
  readonly reads: ReadonlySet<Variable>;
  /** Bounded in time by `maxReading`; never throws. */
  evaluate(circumstances: Circumstances): boolean | ConditionError;
}

/** It cannot be said whether the condition holds: the call is refused. */
export interface ConditionError {
  /** In a record: says nothing of what the caller sent. */
  readonly reason: string;
  /** For the operator's own terminal: may hold the caller's text. */
  readonly message: string;
}

/** An expression that is wrong. */
export interface ConditionFault {
  readonly message: string;
  readonly hint?: string | undefined;
  /** An unknown name and the known ones, to guess what was meant. */
  readonly names?: { readonly typed: string; readonly known: readonly string[] } | undefined;
}

const maxLength = 2_000;

const variables: Readonly<Record<Variable, Type>> = {
  tool: {
    members: {
      name: 'string',
      server: 'string',
      readOnly: 'bool',
      destructive: 'bool',
      idempotent: 'bool',
      openWorld: 'bool',
    },
  },
  args: 'map',
  caller: {
    members: {
      subject: 'string',
      issuer: 'string',
      client: 'string',
      organization: 'string',
      scopes: { list: 'string' },
    },
  },
  now: 'timestamp',
};

/** @param text as the operator wrote it */
export function compileCondition(text: string): Condition | ConditionFault {
  if (text.length > maxLength)
    return { message: `is longer than ${maxLength} characters`, hint: 'write several rules' };
  const { parse, plan } = library();
  const environment = conditionEnvironment();
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(text);
  } catch (error) {
    return syntaxFault(error);
  }
  if (parsed.expr === undefined) return { message: 'is empty' };
  try {
    const { type, reads, members } = new TypeCheck(variables).check(parsed.expr);
    if (type !== 'bool' && type !== 'dyn')
      return { message: 'is no condition', hint: 'compare something: args.amount > 100' };
    const evaluate = evaluator(plan(environment.cel, parsed), environment, members);
    return { text, reads: reads as ReadonlySet<Variable>, evaluate };
  } catch (error) {
    if (!(error instanceof TypeFault)) throw error;
    const at = parsed.sourceInfo?.positions[String(error.at)];
    const place = at === undefined ? '' : ` (at character ${at + 1})`;
    return { message: error.message + place, hint: error.hint, names: error.names };
  }
}

export function isConditionFault(value: Condition | ConditionFault): value is ConditionFault {
  return 'message' in value;
}

type Plan = ReturnType<ReturnType<typeof library>['plan']>;

function evaluator(
  run: Plan,
  { meter }: ConditionEnvironment,
  members: ReadonlySet<string>,
): Condition['evaluate'] {
  const { isCelError, timestampFromMs } = library();
  return ({ tool, args, caller, now }) => {
    if (args !== null && members.size > 0 && ambiguousMember(args, members))
      return failed('the arguments spell a member in two ways');
    meter.start();
    const result = withoutStacks(() =>
      run({
        tool: viewOfObject({ ...tool }, meter),
        args: viewOfObject(args ?? {}, meter),
        caller: viewOfObject({ ...caller, scopes: [...caller.scopes] }, meter),
        now: timestampFromMs(now),
      }),
    );
    if (meter.exhausted) return failed('it reads too much');
    if (typeof result === 'boolean') return result;
    return isCelError(result)
      ? failed(kindOf(result.message), result.message)
      : failed('it is neither true nor false');
  };
}

/** `all` and `exists` make an error for each element that has one: nobody reads where it came from, and that is most of its cost. */
function withoutStacks<T>(work: () => T): T {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return work();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

function failed(reason: string, message = reason): ConditionError {
  return { reason, message };
}

/** The library's messages may repeat what the caller sent. */
function kindOf(message: string): string {
  if (/^(?:field not found|unresolved|index )/.test(message)) return 'a member is missing';
  if (message.startsWith('found no matching overload')) return 'a value has another type';
  return 'it cannot be computed';
}

function syntaxFault(error: unknown): ConditionFault {
  const place = /^<input>:1:(\d+): (.*)$/s.exec(messageOf(error));
  const message = place ? `cannot be read at character ${place[1]}` : 'cannot be read';
  return { message, hint: 'write a CEL expression such as args.amount > 100 && args.currency == "EUR"' };
}
