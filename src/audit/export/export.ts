import { neutralText } from '../../base/index.ts';
import { formatJsonLine } from '../format.ts';
import type { StoredEntry } from '../query.ts';
import { longest } from '../values.ts';
import { csvHeader, csvOf } from './csv.ts';
import { ecsOf } from './ecs.ts';
import { ocsfOf } from './ocsf.ts';

const exportFormats = ['jsonl', 'ocsf', 'ecs', 'csv'] as const;
export type ExportFormat = (typeof exportFormats)[number];

export interface Exporter {
  /** Before the first entry; empty for none. */
  readonly head: string;
  /** With its newline. */
  line(entry: StoredEntry): string;
}

export function exporterFor(format: ExportFormat): Exporter {
  switch (format) {
    case 'jsonl':
      return { head: '', line: (entry) => `${formatJsonLine(entry)}\n` };
    case 'ocsf':
      return { head: '', line: (entry) => neutralLine(ocsfOf(entry)) };
    case 'ecs':
      return { head: '', line: (entry) => neutralLine(ecsOf(entry)) };
    case 'csv':
      return { head: csvHeader, line: (entry) => csvOf(neutral(entry)) };
  }
}

/** Who could write to the store could have put anything there. */
function neutralLine(value: object): string {
  return `${JSON.stringify(value, clean)}\n`;
}

function neutral(entry: StoredEntry): StoredEntry {
  return JSON.parse(JSON.stringify(entry, clean)) as StoredEntry;
}

function clean(_name: string, value: unknown): unknown {
  return typeof value === 'string' ? neutralText(value, longest.arguments) : value;
}
