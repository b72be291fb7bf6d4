import { didYouMean } from '../base/index.ts';
import { compileCondition, isConditionFault } from '../policy/index.ts';
import { checkCapture } from './capture.ts';
import type { Finding } from './faults.ts';
import type { FileConfig, PartialFileConfig } from './schema.ts';

type Rule = NonNullable<FileConfig['tools']>[number];

/** What holds between the parts of tool rules, and what the schema cannot see of their conditions. */
export function checkRules({ tools, servers, audit }: PartialFileConfig): Finding[] {
  return (tools ?? []).flatMap((rule, index) => [
    ...(servers ? checkServer(rule, index, servers) : []),
    ...checkCondition(rule, index),
    ...checkCapture(rule, {
      path: ['tools', index],
      hasKey: audit === undefined || audit.auditorKey !== undefined,
    }),
  ]);
}

function checkServer(rule: Rule, index: number, servers: FileConfig['servers']): Finding[] {
  if (rule.server === undefined || Object.hasOwn(servers, rule.server)) return [];
  const hint = `write one of ${Object.keys(servers).join(', ')}`;
  return [{ path: ['tools', index, 'server'], message: 'names no server of this file', hint }];
}

function checkCondition(rule: Rule, index: number): Finding[] {
  if (rule.when === undefined) return [];
  const path = ['tools', index, 'when'];
  const condition = compileCondition(rule.when);
  if (isConditionFault(condition)) {
    const { message, names } = condition;
    return [{ path, message, hint: condition.hint ?? (names && guess(names.typed, names.known)) }];
  }
  if (rule.show !== undefined && condition.reads.has('args')) {
    const message = 'depends on the arguments of a call, and tools are listed before there are any';
    return [
      { path: ['tools', index, 'show'], message, hint: 'put show into a rule whose when does not read args' },
    ];
  }
  return [];
}

function guess(typed: string, known: readonly string[]): string {
  const near = didYouMean(typed, known);
  return near === null ? `known here: ${known.join(', ')}` : `did you mean ${near}?`;
}
