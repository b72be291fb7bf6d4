import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { neutralText, OperationError, timestamp } from '../../base/index.ts';
import type { Approval, Candidate, Pin, PinStore } from '../../pins/index.ts';
import { type CommandBody, type CommandContext, exitCodes, type Given, UsageError } from '../command.ts';
import { dataOptions, findDataDirectory } from '../data-directory.ts';
import { differences } from '../definition-diff.ts';
import { type CommandEvent, onRecord } from '../record-event.ts';
import { shellQuote } from '../shell-quote.ts';

/** `portcullis pins list`. */
export const pinsList: CommandBody = {
  usage: ['[--held] [--data DIR]'],
  options: { held: { help: 'only what is in quarantine' }, ...dataOptions },
  notes: 'Names are the words of the servers.',
  async run(given, context) {
    return withPins(given, context, (store) => {
      const held = store.candidates();
      const pins = given.has('held') ? [] : store.pins();
      if (context.json) context.output.json({ held: held.map(heldAsJson), pins: pins.map(pinAsJson) });
      else printList(held, pins, context);
    });
  },
};

/** `portcullis pins diff`. */
export const pinsDiff: CommandBody = {
  usage: ['SERVER TOOL [--data DIR]'],
  words: ['SERVER', 'TOOL'],
  options: dataOptions,
  notes: 'Characters that are not seen are written out. What is shown here is what pins approve takes.',
  async run(given, context) {
    const { server, tool } = named(given, context);
    return withPins(given, context, (store) => {
      const { held, pin } = find(store, server, tool);
      if (held.definition) store.show(server, tool, held.definition.hash);
      if (context.json)
        context.output.json({
          ...heldAsJson(held),
          pinned: pin ? pinAsJson(pin) : null,
          ...texts(held, pin),
        });
      else printDiff(held, pin, context);
    });
  },
};

/** `portcullis pins approve`. */
export const pinsApprove: CommandBody = {
  usage: ['SERVER TOOL [--hash sha256:…] [--data DIR]'],
  words: ['SERVER', 'TOOL'],
  options: {
    hash: {
      value: 'HASH',
      help: 'the definition that you looked at; the pinned one keeps that and frees the tool',
    },
    ...dataOptions,
  },
  notes:
    'Without --hash it takes the definition that pins diff showed last. One that has come since is not approved.\nA gateway that runs takes it up within two seconds. With a lock file, export the pins afterwards.',
  async run(given, context) {
    const { server, tool } = named(given, context);
    const wanted = wantedHash(given);
    return withPins(given, context, async (store, directory) => {
      const { approve } = await import('../../pins/index.ts');
      const { held, pin } = find(store, server, tool);
      if (!context.json && wanted === null) printDiff(held, pin, context);
      // What was shown, here or before: not what may have come in the meantime.
      const hash = wanted ?? store.shown(server, tool) ?? held.definition?.hash;
      if (hash === undefined) throw unreadable();
      const at = timestamp(context.clock.now());
      const approval = await onRecord({ given, context, directory }, (record) => {
        const done = approve(store, { server, tool, hash, by: 'command line', at });
        if (done.done === null) throw refused(done, context.self, `${server} ${shellQuote(tool)}`);
        record.write(eventOf({ server, tool, approval: done }));
        return done;
      });
      if (context.json) context.output.json({ ok: true, server, tool, ...approval });
      else
        context.output.line(
          `${approval.done === 'kept' ? 'Kept' : 'Approved'} ${approval.hash} of ${shown(tool)}.`,
        );
    });
  },
};

/** `portcullis pins export`. */
export const pinsExport: CommandBody = {
  usage: ['[--lock FILE] [--data DIR]'],
  options: { lock: { value: 'FILE', help: 'where to; default is the terminal' }, ...dataOptions },
  notes: 'A gateway with pins.lock: FILE shows what the file holds, and nothing else.',
  async run(given, context) {
    const file = given.text('lock');
    return withPins(given, context, async (store) => {
      const { formatLock } = await import('../../pins/index.ts');
      const pins = store.pins();
      const text = formatLock(pins);
      if (file === undefined) context.output.lines(text.trimEnd());
      else {
        await writeFile(resolve(context.cwd, file), text);
        if (context.json) context.output.json({ ok: true, file, tools: pins.length });
        else context.output.line(`${file} has ${pins.length} tools. Review it before you commit it.`);
      }
    });
  },
};

function named({ words: [server, tool] }: Given, { self }: CommandContext): { server: string; tool: string } {
  if (server === undefined || tool === undefined) {
    throw new UsageError('the server or the tool is missing', `see ${self} pins list`);
  }
  return { server, tool };
}

function wantedHash(given: Given): string | null {
  const hash = given.text('hash');
  if (hash === undefined || /^sha256:[0-9a-f]{64}$/.test(hash)) return hash ?? null;
  throw new UsageError(
    '--hash is no hash of a definition',
    'copy it from pins diff: sha256: and 64 hexadecimal digits',
  );
}

function find(store: PinStore, server: string, tool: string): { held: Candidate; pin: Pin | undefined } {
  const held = store.candidates(server).find((one) => one.tool === tool);
  if (held === undefined) {
    throw new OperationError('this tool is not in quarantine', { hint: 'portcullis pins list' });
  }
  return { held, pin: store.pins(server).find((one) => one.tool === tool) };
}

function refused({ problem }: Extract<Approval, { done: null }>, self: string, what: string): OperationError {
  return problem === 'nothing_held'
    ? new OperationError('this tool is not in quarantine', { hint: `${self} pins list` })
    : new OperationError('the definition that is held is not the one that was shown', {
        hint: `look at it first: ${self} pins diff ${what}`,
      });
}

function unreadable(): OperationError {
  return new OperationError('this definition cannot be approved: nobody can read it', {
    hint: 'it is too large, too deep, or has no one meaning; once the server has mended it, free the tool with --hash and the pinned hash',
  });
}

function printList(held: readonly Candidate[], pins: readonly Pin[], { output }: CommandContext): void {
  if (held.length === 0 && pins.length === 0) output.line('No tools are pinned.');
  for (const { server, tool, definition, findings, at } of held) {
    output.line(`QUARANTINE  ${server} ${shown(tool)}  since ${at}`);
    output.line(`    ${definition?.hash ?? 'unreadable'}`);
    for (const { kind, path, detail, grade } of findings
      .filter(({ grade }) => grade === 'high')
      .slice(0, 8)) {
      output.line(`    ${grade} ${kind}  ${shown(path)}  ${shown(detail)}`);
    }
  }
  for (const { server, tool, definition, by, at } of pins) {
    output.line(`${server} ${shown(tool)}  ${definition.hash}  ${by} ${at}`);
  }
}

function printDiff(held: Candidate, pin: Pin | undefined, { output }: CommandContext): void {
  output.line(`${held.server} ${shown(held.tool)}`);
  output.line(`pinned  ${pin?.definition.hash ?? 'nothing'}`);
  output.line(`held    ${held.definition?.hash ?? 'unreadable'}`);
  for (const { grade, kind, path, detail } of held.findings) {
    output.line(`  ${grade.padEnd(4)} ${kind}  ${shown(path)}  ${shown(detail)}`);
  }
  const { before, after } = texts(held, pin);
  for (const line of differences(before, after)) output.line(line);
}

function texts(held: Candidate, pin: Pin | undefined): { before: unknown; after: unknown } {
  return { before: pin?.definition.tool ?? null, after: held.definition?.tool ?? null };
}

function heldAsJson({ server, tool, caller, definition, findings, at }: Candidate) {
  return { server, tool, caller: caller || null, hash: definition?.hash ?? null, findings, since: at };
}

function pinAsJson({ server, tool, definition, by, at }: Pin) {
  return { server, tool, hash: definition.hash, by, at };
}

/** One line without what a terminal obeys or a reader does not see. @param text the server's */
function shown(text: string): string {
  return neutralText(text, 200);
}

interface Recorded {
  readonly server: string;
  readonly tool: string;
  readonly approval: Extract<Approval, { done: string }>;
}

function eventOf({ server, tool, approval }: Recorded): CommandEvent {
  const before = approval.done === 'approved' ? approval.before : approval.hash;
  const data = { server, tool, hash: approval.hash, pinned: before, by: 'command line' };
  return { event: `pins.${approval.done}`, data };
}

async function withPins(
  given: Given,
  context: CommandContext,
  work: (store: PinStore, directory: string) => void | Promise<void>,
): Promise<0> {
  const directory = await findDataDirectory(given, context);
  const { openPinStore } = await import('../../pins/index.ts');
  const store = openPinStore(directory);
  try {
    await work(store, directory);
  } finally {
    store.close();
  }
  return exitCodes.ok;
}
