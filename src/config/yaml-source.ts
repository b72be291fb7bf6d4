import { dirname } from 'node:path';
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { ConfigurationError, messageOf } from '../base/index.ts';
import type { Path, Place, Source } from './source.ts';

/** A configuration is written by people: a megabyte is far beyond any of them. */
export const maxFileBytes = 1024 * 1024;
/** How many nodes aliases may expand to; more is an alias bomb. */
const maxAliases = 100;

/**
 * Reads YAML text, keeping the position of every value.
 * @param file name to show in messages
 * @param absolute the same file's absolute path
 * @throws ConfigurationError with every syntax fault, duplicate keys and unknown tags included
 */
export function yamlSource(text: string, file: string, absolute: string): Source {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const problems = [...document.errors, ...document.warnings];
  if (problems.length > 0) {
    throw new ConfigurationError(
      problems.map((problem) => {
        const { line, col } = lines.linePos(problem.pos[0]);
        return {
          source: file,
          line,
          column: col,
          message: `not valid YAML: ${withoutExcerpt(problem.message)}`,
        };
      }),
    );
  }
  const placeOf = (node: Node | null | undefined): Place => {
    const offset = node?.range?.[0];
    if (offset === undefined) return { source: file };
    const { line, col } = lines.linePos(offset);
    return { source: file, line, column: col };
  };
  return {
    raw: plainValues(document, file),
    directory: dirname(absolute),
    place: (path) => placeOf(nodesAlong(document, path).at(-1)),
    written: (path) => {
      const nodes = nodesAlong(document, path);
      return nodes.length === path.length + 1 ? placeOf(nodes.at(-1)) : null;
    },
  };
}

/** The parser's messages may quote the line, and a line may hold a secret: keep the first clause. */
function withoutExcerpt(message: string): string {
  return (message.split(/[:\n]/, 1)[0] ?? '').replace(/ (at|in) line .*/, '').slice(0, 120);
}

function plainValues(document: Document, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: maxAliases }) ?? {};
  } catch (error) {
    const message = /alias/i.test(messageOf(error))
      ? `uses aliases that expand to more than ${maxAliases} nodes`
      : 'cannot be read as plain values';
    throw new ConfigurationError([{ source: file, message, hint: 'write the values out' }]);
  }
}

/** The nodes to point at on the way to a value, as far as it goes: map keys, list items. Starts with the root. */
function nodesAlong(document: Document, path: Path): (Node | null)[] {
  let value: unknown = document.contents;
  const found: (Node | null)[] = [document.contents];
  for (const part of path) {
    const node = isAlias(value) ? value.resolve(document) : value;
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(part));
      if (!pair || !isScalar(pair.key)) return found;
      found.push(pair.key);
      value = pair.value;
    } else if (isSeq(node) && typeof part === 'number' && part < node.items.length) {
      value = node.items[part];
      found.push((value ?? node) as Node);
    } else {
      return found;
    }
  }
  return found;
}
