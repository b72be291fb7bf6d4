import { hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { messageOf, OperationError } from '../../base/index.ts';
import type { Db } from '../../store/index.ts';

const maximumEntries = 5_000_000;
const setting = 'password deny list';

/**
 * Passwords that nobody may choose (NIST SP 800-63B section 3.1.1.2: known from breaches, or commonly used). A text file
 * with one on each line, as they are or as SHA-1 in hex with or without a count, as Have I Been Pwned gives them out.
 * Where it lies is kept in the store, so that the command line asks it too.
 */
export interface DenyList {
  /** Names the file, null for none, and reads it. Throws OperationError if that is not possible. */
  use(path: string | null): Promise<void>;
  /** Throws OperationError if there should be a list that cannot be read: nothing is accepted unchecked. */
  has(password: string): Promise<boolean>;
}

export function createDenyList(db: Db): DenyList {
  let loaded: { readonly path: string; readonly hashes: BigUint64Array } | null = null;
  const load = async (path: string) => {
    if (loaded?.path !== path) loaded = { path, hashes: await read(path) };
    return loaded.hashes;
  };
  return {
    async use(path) {
      if (path === null) db.prepare('DELETE FROM settings WHERE name = :name').run({ name: setting });
      else {
        await load(path);
        db.prepare('INSERT OR REPLACE INTO settings (name, value) VALUES (:name, :value)').run({
          name: setting,
          value: path,
        });
      }
    },
    async has(password) {
      const row = db.prepare('SELECT value FROM settings WHERE name = :name').get({ name: setting });
      if (row === undefined) return false;
      const hashes = await load(String(row['value']));
      const typed = password.normalize('NFKC');
      return [typed, typed.toLowerCase()].some((form) => isIn(hashes, digest(form)));
    },
  };
}

/** The first 64 bits: among millions of entries a chance match is one in trillions. */
function digest(password: string): bigint {
  return BigInt(`0x${hash('sha1', password).slice(0, 16)}`);
}

async function read(path: string): Promise<BigUint64Array> {
  const hashes: bigint[] = [];
  try {
    const lines = createInterface({
      input: createReadStream(path),
      crlfDelay: Number.POSITIVE_INFINITY,
    });
    for await (const line of lines) {
      if (line === '') continue;
      if (hashes.length >= maximumEntries) throw new Error(`it has more than ${maximumEntries} lines`);
      const given = /^([0-9a-f]{16})[0-9a-f]{24}(:\d+)?$/i.exec(line)?.[1];
      hashes.push(given === undefined ? digest(line.normalize('NFKC')) : BigInt(`0x${given}`));
    }
  } catch (error) {
    throw new OperationError(`the list of refused passwords ${path} cannot be used: ${messageOf(error)}`, {
      hint: 'correct auth.embedded.passwords.denyList, or let this user read the file',
      cause: error,
    });
  }
  return new BigUint64Array(hashes).sort();
}

function isIn(sorted: BigUint64Array, wanted: bigint): boolean {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? 0n) < wanted) low = middle + 1;
    else high = middle;
  }
  return sorted[low] === wanted;
}
