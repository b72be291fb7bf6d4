import { asItLooks } from './characters.ts';
import { type Finding, finding } from './finding.ts';

/** A tool that exists already, here or behind another server. */
export interface KnownTool {
  readonly server: string;
  readonly name: string;
}

/**
 * Names that are taken for this one. What differs in look-alike letters alone is never an accident; what is plainly the same, or
 * differs in case and separators, may be where two servers stood side by side from the start.
 *
 * @param alike tools whose `nameSkeleton` is the same
 * @param established whether this server was there before the tool appeared
 */
export function shadowFindings(
  tool: KnownTool,
  alike: readonly KnownTool[],
  established: boolean,
): Finding[] {
  const disguised = asItLooks(tool.name) !== tool.name;
  return (
    alike
      .filter((other) => other.name !== tool.name || other.server !== tool.server)
      // Of one server's own tools some differ in separators alone: getUser, get_user.
      .filter((other) => other.server !== tool.server || disguised)
      .slice(0, 4)
      .map((other) =>
        finding(
          disguised || established ? 'high' : 'low',
          'shadow',
          'name',
          `is like ${other.name} of ${other.server}`,
        ),
      )
  );
}

const longestText = 256 * 1024;

/**
 * Names of other servers' tools in a text: a tool has no business with them. Plain words are no names.
 *
 * @param isForeign whether another server has a tool of that name
 */
export function foreignNames(text: string, isForeign: (name: string) => boolean): string[] {
  const found = new Set<string>();
  for (const [word] of asItLooks(text.slice(0, longestText)).matchAll(
    /[A-Za-z0-9_][A-Za-z0-9_.-]{3,126}[A-Za-z0-9_]/g,
  )) {
    if (/[_.-]|[a-z][A-Z]/.test(word) && isForeign(word)) found.add(word);
    if (found.size === 4) break;
  }
  return [...found];
}
