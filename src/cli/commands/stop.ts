import { hostname, userInfo } from 'node:os';
import { OperationError, timestamp, uuidv7 } from '../../base/index.ts';
import type { Stop, StopTarget } from '../../stops/index.ts';
import { type CommandBody, type CommandContext, exitCodes, type Given, UsageError } from '../command.ts';
import { dataOptions, findDataDirectory } from '../data-directory.ts';
import type { Output } from '../output.ts';
import { onRecord, recordDone, trailOf } from '../record-event.ts';
import { hasBeenSeen } from './stop-names.ts';
import { type KillSwitch, openKillSwitch } from './stop-places.ts';

const kinds = ['tool', 'client', 'organization', 'server'] as const;

const targetOptions = {
  server: { value: 'NAME', help: 'tools of this server alone' },
  issuer: { value: 'URL', help: 'clients and organizations in tokens of this issuer alone' },
} as const;

/** `portcullis stop`. */
export const stop: CommandBody = {
  usage: ['tool GLOB | client ID | organization NAME | server NAME [--reason TEXT] [--data DIR]'],
  words: ['KIND', 'NAME'],
  options: {
    reason: { value: 'TEXT', help: 'kept on record, not shown to callers' },
    ...targetOptions,
    ...dataOptions,
  },
  notes:
    'Gateways that run refuse the calls within a second and end those that are under way. It holds over restarts, until\nportcullis resume. GLOB and ID may have * and ?: quote them.',
  async run(given, context) {
    const target = targetOf(given, context, 'stop');
    const reason = reasonOf(given);
    const directory = await findDataDirectory(given, context);
    return withSwitch(given, { context, directory }, async (places) => {
      const before = places.inForce.find((one) => places.isSameTarget(one, target));
      if (before !== undefined) return alreadyStopped(before, context);
      if (places.inForce.length >= places.mostStops) {
        throw new OperationError(`there are ${places.mostStops} stops already`, {
          hint: 'resume some of them',
        });
      }
      const { clock } = context;
      const entry: Stop = {
        ...target,
        id: uuidv7(clock.now()),
        reason,
        by: whoAmI(),
        at: clock.now(),
        resumed: null,
      };
      const notes = await places.write(entry);
      const recording = { given, context, directory };
      const missing = await recordDone(recording, { event: 'kill_switch.stopped', data: recorded(entry) });
      notes.push(...missing);
      if (missing.length === 0 && !(await hasBeenSeen(await trailOf(recording), target))) {
        notes.push(`no call on record is of a ${target.kind} with this name; it is stopped all the same`);
      }
      announce(entry, notes, context);
    });
  },
};

/** `portcullis stop list`. */
export const stopList: CommandBody = {
  usage: ['[--data DIR]'],
  options: dataOptions,
  async run(given, context) {
    const { output, json } = context;
    const directory = await findDataDirectory(given, context);
    return withSwitch(given, { context, directory }, async ({ inForce, notes }) => {
      for (const note of notes) if (!json) output.note(`warning: ${note}`);
      if (json) output.json({ stops: inForce.map(shown), warnings: notes });
      else if (inForce.length === 0) output.line('Nothing is stopped.');
      else for (const entry of inForce) print(entry, output);
    });
  },
};

/** `portcullis resume`. */
export const resume: CommandBody = {
  usage: ['tool GLOB | client ID | organization NAME | server NAME [--data DIR]', 'ID [--data DIR]'],
  words: ['KIND', 'NAME'],
  options: { ...targetOptions, ...dataOptions },
  notes: 'Name it as it was stopped, or by the id that portcullis stop list shows.',
  async run(given, context) {
    const [word, more] = given.words;
    const byId = word !== undefined && more === undefined && /^[0-9a-f-]{36}$/.test(word) ? word : null;
    const target = byId === null ? targetOf(given, context, 'resume') : null;
    const directory = await findDataDirectory(given, context);
    return withSwitch(given, { context, directory }, async (places) => {
      const found = places.inForce.filter((one) =>
        target ? places.isSameTarget(one, target) : one.id === byId,
      );
      if (found.length === 0)
        throw new OperationError('this is not stopped', { hint: `${context.self} stop list` });
      const resumed = { by: whoAmI(), at: context.clock.now() };
      for (const entry of found) {
        const notes = await onRecord({ given, context, directory }, async (record) => {
          const written = await places.write({ ...entry, resumed });
          record.write({ event: 'kill_switch.resumed', data: { ...recorded(entry), by: resumed.by } });
          return written;
        });
        if (context.json) context.output.json({ ok: true, ...shown(entry), resumed: true, warnings: notes });
        else context.output.line(`Resumed ${printed(entry)}.`);
        for (const note of notes) if (!context.json) context.output.note(`warning: ${note}`);
      }
    });
  },
};

function targetOf(given: Given, { self }: CommandContext, verb: string): StopTarget {
  const [word, name] = given.words;
  const kind = kinds.find((one) => one === word);
  if (kind === undefined) {
    const what = word === undefined ? `what to ${verb} is missing` : `there is no kind of this name`;
    throw new UsageError(what, `write ${self} ${verb} ${kinds.join('|')} NAME`);
  }
  if (name === undefined || name === '' || name.length > 2_048) {
    throw new UsageError('the name is missing', `write ${self} ${verb} ${kind} NAME`);
  }
  const [server = null, issuer = null] = [given.text('server'), given.text('issuer')];
  if (server !== null && kind !== 'tool')
    throw new UsageError('--server goes with tools alone', 'leave it out');
  if (issuer !== null && kind !== 'client' && kind !== 'organization') {
    throw new UsageError('--issuer goes with clients and organizations alone', 'leave it out');
  }
  return { kind, name, server, issuer };
}

const longestReason = 500;

function reasonOf(given: Given): string | null {
  const reason = given.text('reason') ?? null;
  if (reason !== null && reason.length > longestReason)
    throw new UsageError('--reason is too long', `use ${longestReason} characters at most`);
  return reason;
}

/** Whoever runs the command, as the system knows them: what a variable says can be anything. */
function whoAmI(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}@${hostname()}`;
  }
}

function alreadyStopped(entry: Stop, { output, json }: CommandContext): void {
  if (json) output.json({ ok: true, ...shown(entry), already: true, warnings: [] });
  else
    output.line(
      `${capital(printed(entry))} is stopped already, since ${timestamp(entry.at)} by ${entry.by}.`,
    );
}

function announce(entry: Stop, notes: readonly string[], { output, json, self }: CommandContext): void {
  if (json) output.json({ ok: true, ...shown(entry), already: false, warnings: notes });
  else {
    output.line(`Stopped ${printed(entry)}. Gateways follow within a second.`);
    output.line(`To undo it: ${self} resume ${entry.id}`);
    for (const note of notes) output.note(`warning: ${note}`);
  }
}

function shown({ id, kind, name, server, issuer, reason, by, at }: Stop): Record<string, string | null> {
  return { id, kind, name, server, issuer, reason, by, at: timestamp(at) };
}

function recorded({ id, kind, name, server, issuer, reason, by }: Stop): Record<string, string | null> {
  return { stop_id: id, kind, name, server, issuer, reason, by };
}

function printed({ kind, name, server, issuer }: StopTarget): string {
  const of = server === null ? '' : ` of server ${server}`;
  return `${kind} ${name}${of}${issuer === null ? '' : ` of issuer ${issuer}`}`;
}

function print(entry: Stop, { line }: Output): void {
  line(`${entry.id}  ${timestamp(entry.at)}  ${printed(entry)}  (${entry.by})`);
  if (entry.reason !== null) line(`    ${entry.reason}`);
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

async function withSwitch(
  given: Given,
  { context, directory }: { context: CommandContext; directory: string },
  work: (places: KillSwitch) => Promise<void>,
): Promise<0> {
  const places = await openKillSwitch(given, { context, directory });
  try {
    await work(places);
  } finally {
    await places.close();
  }
  return exitCodes.ok;
}
