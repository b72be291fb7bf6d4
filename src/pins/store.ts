import { join } from 'node:path';
import { readJson } from '../base/index.ts';
import { type Db, type Migrations, openDb, type Row } from '../store/index.ts';
import { type Definition, definitionHash } from './definition.ts';
import type { Finding } from './finding.ts';

/** What somebody, or the first contact, vouched for. */
export interface Pin {
  readonly server: string;
  readonly tool: string;
  readonly definition: Definition;
  /** `first_use`, or who approved it. */
  readonly by: string;
  /** RFC 3339. */
  readonly at: string;
}

/** A definition that is kept back. */
export interface Candidate {
  readonly server: string;
  readonly tool: string;
  /** Whose list had it, as a digest, where each caller has a list of their own; else empty. */
  readonly caller: string;
  /** Null: one that could not be read, which nobody can approve. */
  readonly definition: Definition | null;
  readonly findings: readonly Finding[];
  /** RFC 3339. */
  readonly at: string;
}

const migrations: Migrations = {
  name: 'pins',
  steps: [
    `CREATE TABLE pins (
      server TEXT NOT NULL,
      tool TEXT NOT NULL,
      definition TEXT NOT NULL,
      by TEXT NOT NULL,
      at TEXT NOT NULL,
      PRIMARY KEY (server, tool)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE approved (
      server TEXT NOT NULL,
      tool TEXT NOT NULL,
      hash TEXT NOT NULL,
      PRIMARY KEY (server, tool, hash)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE candidates (
      server TEXT NOT NULL,
      tool TEXT NOT NULL,
      caller TEXT NOT NULL,
      definition TEXT,
      findings TEXT NOT NULL,
      at TEXT NOT NULL,
      PRIMARY KEY (server, tool, caller)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE shown (
      server TEXT NOT NULL,
      tool TEXT NOT NULL,
      hash TEXT NOT NULL,
      PRIMARY KEY (server, tool)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE servers (
      server TEXT PRIMARY KEY,
      met_at TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;`,
  ],
};

/** The pins in the data directory: `pins.db`, mode 0600. Several processes may have it open. */
export function openPinStore(dataDir: string): PinStore {
  return new PinStore(openDb(join(dataDir, 'pins.db'), migrations));
}

export class PinStore {
  readonly #db: Db;
  readonly #version;

  constructor(db: Db) {
    this.#db = db;
    this.#version = db.prepare('PRAGMA data_version');
  }

  /** Changes whenever another connection has written. */
  version(): number {
    return Number(this.#version.get()?.['data_version'] ?? 0);
  }

  transaction<T>(work: () => T): T {
    return this.#db.transaction(work);
  }

  pins(server?: string): Pin[] {
    return this.#rows('SELECT * FROM pins', server).map((row) => ({
      ...placeOf(row),
      definition: definitionOf(row),
      by: String(row['by']),
      at: String(row['at']),
    }));
  }

  candidates(server?: string): Candidate[] {
    return this.#rows('SELECT * FROM candidates', server).map((row) => ({
      ...placeOf(row),
      caller: String(row['caller']),
      definition: row['definition'] === null ? null : definitionOf(row),
      findings: readJson(String(row['findings'])) as Finding[],
      at: String(row['at']),
    }));
  }

  /** Hashes that were approved beside or before the pinned one. */
  approved(server?: string): { server: string; tool: string; hash: string }[] {
    return this.#rows('SELECT * FROM approved', server).map((row) => ({
      ...placeOf(row),
      hash: String(row['hash']),
    }));
  }

  /** Whether the server's list has been read once: what appears later is new. */
  servers(): string[] {
    return this.#rows('SELECT * FROM servers', undefined).map((row) => String(row['server']));
  }

  meet(server: string, at: string): void {
    this.#run('INSERT INTO servers VALUES (:server, :at) ON CONFLICT DO NOTHING', { server, at });
  }

  pin({ server, tool, definition, by, at }: Pin): void {
    this.#run(
      `INSERT INTO pins (server, tool, definition, by, at) VALUES (:server, :tool, :definition, :by, :at)
       ON CONFLICT (server, tool) DO UPDATE SET definition = excluded.definition, by = excluded.by, at = excluded.at`,
      { server, tool, definition: definition.text, by, at },
    );
  }

  /** @returns false when another process pinned the tool first: then that is the pin */
  pinFirst({ server, tool, definition, by, at }: Pin): boolean {
    const insert = this.#db.prepare(
      'INSERT INTO pins (server, tool, definition, by, at) VALUES (:server, :tool, :definition, :by, :at) ON CONFLICT DO NOTHING',
    );
    return insert.run({ server, tool, definition: definition.text, by, at }).changes > 0;
  }

  approve(server: string, tool: string, hash: string): void {
    this.#run('INSERT INTO approved VALUES (:server, :tool, :hash) ON CONFLICT DO NOTHING', {
      server,
      tool,
      hash,
    });
  }

  hold({ server, tool, caller, definition, findings, at }: Candidate): void {
    this.#run(
      `INSERT INTO candidates (server, tool, caller, definition, findings, at)
       VALUES (:server, :tool, :caller, :definition, :findings, :at)
       ON CONFLICT (server, tool, caller) DO UPDATE
       SET definition = excluded.definition, findings = excluded.findings, at = excluded.at`,
      { server, tool, caller, definition: definition?.text ?? null, findings: JSON.stringify(findings), at },
    );
  }

  release(server: string, tool: string, caller: string): void {
    this.#run('DELETE FROM candidates WHERE server = :server AND tool = :tool AND caller = :caller', {
      server,
      tool,
      caller,
    });
  }

  /** What a person was shown last of a tool that is kept back. */
  shown(server: string, tool: string): string | null {
    const row = this.#db
      .prepare('SELECT hash FROM shown WHERE server = :server AND tool = :tool')
      .get({ server, tool });
    return row === undefined ? null : String(row['hash']);
  }

  show(server: string, tool: string, hash: string): void {
    this.#run(
      'INSERT INTO shown VALUES (:server, :tool, :hash) ON CONFLICT (server, tool) DO UPDATE SET hash = excluded.hash',
      { server, tool, hash },
    );
  }

  close(): void {
    this.#db.close();
  }

  #run(sql: string, values: Record<string, string | null>): void {
    this.#db.prepare(sql).run(values);
  }

  #rows(sql: string, server: string | undefined): Row[] {
    return server === undefined
      ? this.#db.prepare(sql).all()
      : this.#db.prepare(`${sql} WHERE server = :server`).all({ server });
  }
}

function placeOf(row: Row): { server: string; tool: string } {
  return { server: String(row['server']), tool: String(row['tool']) };
}

function definitionOf(row: Row): Definition {
  const text = String(row['definition']);
  return {
    name: String(row['tool']),
    text,
    hash: definitionHash(text),
    tool: readJson(text) as Definition['tool'],
  };
}
