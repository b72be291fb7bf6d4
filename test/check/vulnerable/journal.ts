import { appendFileSync } from 'node:fs';
import type { Faults } from './faults.ts';

/** The log of the vulnerable server: a JSON line for each request to the endpoint, denials included. */
export interface Journal {
  write(entry: JournalEntry): void;
}

export interface JournalEntry {
  readonly request_id: string;
  readonly client_id: string | null;
  readonly subject: string | null;
  readonly tool_name: string | null;
  readonly result: 'success' | 'denied_auth' | 'denied_rate' | 'error';
  readonly http_status: number;
  readonly authorization: string | undefined;
}

export function createJournal(file: string | null, faults: Faults): Journal {
  return {
    write({ authorization, ...entry }) {
      if (file === null) return;
      if (faults.has('denials-unlogged') && entry.result !== 'success') return;
      const line = { timestamp: new Date().toISOString(), ...entry };
      const told = faults.has('token-logged') ? { ...line, headers: { authorization } } : line;
      appendFileSync(file, `${JSON.stringify(told)}\n`);
    },
  };
}
