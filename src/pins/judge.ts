import { nameSkeleton } from './characters.ts';
import type { Definition } from './definition.ts';
import { type Finding, finding, gradeOf } from './finding.ts';
import { gradeChange, gradeFirst } from './grade.ts';
import type { PinRegistry } from './registry.ts';
import { foreignNames, shadowFindings } from './shadow.ts';
import { textsOf } from './texts.ts';

/** Whose tools are looked at, and what else is pinned. */
export interface JudgedServer {
  readonly name: string;
  readonly registry: PinRegistry;
}

/** A definition that is not the one that was pinned. */
export function judgeChange(found: Definition, pin: Definition, server: JudgedServer): Finding[] {
  const graded = [...gradeChange(pin, found), ...foreign(found, pin, server)];
  if (server.registry.changes === 'strict') {
    graded.unshift(finding('high', 'changed', '', 'is not the definition that is pinned'));
  }
  return graded;
}

/** A tool that was never met. The first list of a server is trusted but for plain tricks. */
export function judgeFirst(found: Definition, isFirstList: boolean, server: JudgedServer): Finding[] {
  const alike = server.registry.alike(nameSkeleton(found.name));
  const strange = foreign(found, null, server);
  return [
    ...gradeFirst(found),
    ...shadowFindings({ server: server.name, name: found.name }, alike, !isFirstList),
    ...(isFirstList ? strange.map((one) => ({ ...one, grade: 'low' as const })) : strange),
  ];
}

/** Names of other servers' tools in its texts: a server that speaks of them steers the model. */
function foreign(found: Definition, before: Definition | null, { name, registry }: JudgedServer): Finding[] {
  const isForeign = (other: string) => other !== found.name && registry.isForeign(other, name);
  const old = before === null ? [] : foreignNames(proseOf(before), isForeign);
  return foreignNames(proseOf(found), isForeign)
    .filter((other) => !old.includes(other))
    .map((other) => finding('high', 'instruction', '', `speaks of ${other}, a tool of another server`));
}

function proseOf({ tool }: Definition): string {
  return textsOf(tool)
    .map(({ text }) => text)
    .join('\n');
}

/** For events. */
export function summary(findings: readonly Finding[]): Record<string, string> {
  const grave = findings.find(({ grade }) => grade === 'high') ?? findings[0];
  if (grave === undefined) return {};
  const kinds = [...new Set(findings.map(({ kind }) => kind))].join(' ');
  return { grade: gradeOf(findings), findings: kinds, detail: `${grave.path} ${grave.detail}`.trim() };
}
