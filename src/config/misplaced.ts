import type { Finding } from './faults.ts';
import { fits, walk } from './walk.ts';

/** Finds shapes for which the schema alone would say something less helpful. */
export function findMisplaced(raw: unknown): Finding[] {
  return [...walk(raw)].flatMap(({ path, value }): Finding[] => {
    if (typeof value !== 'object' || value === null) return [];
    if (fits(path, 'servers.*.upstream') && 'command' in value && 'url' in value) {
      return [{ path, message: 'has both command and url', hint: 'keep the one that reaches the server' }];
    }
    if (fits(path, 'servers.*.upstream') && !Array.isArray(value) && Object.keys(value).length === 0) {
      return [
        { path, message: 'is empty', hint: 'write command: [program, argument] or url: http://host/mcp' },
      ];
    }
    if (fits(path, 'tls.key') && ('env' in value || 'command' in value)) {
      return [
        {
          path,
          message: 'must be a file: it is read again when it changes',
          hint: 'write key: { file: /path/to/key.pem }',
        },
      ];
    }
    return [];
  });
}
