import { timestamp } from '../../base/index.ts';
import { makePrivateDirectory } from '../../store/index.ts';
import { type CommandBody, type CommandContext, exitCodes, type Given, UsageError } from '../command.ts';
import { dataOptions, findDataDirectory } from '../data-directory.ts';
import { passwordFromStdin, passwordFromTerminal } from '../password.ts';
import { onRecord, recordDone } from '../record-event.ts';

/** `portcullis users add`. */
export const usersAdd: CommandBody = {
  usage: ['NAME [--role admin|user] [--password-stdin] [--data DIR]'],
  words: ['NAME'],
  options: {
    role: { value: 'admin|user', help: 'admin may do what is marked for administrators; default user' },
    'password-stdin': { help: 'read the password from standard input' },
    ...dataOptions,
  },
  notes: 'Without --password-stdin the password is asked for on the terminal, without showing it.',
  async run(given, context) {
    const name = nameOf(given, `write ${context.self} users add alice`);
    const role = given.text('role') ?? 'user';
    if (role !== 'admin' && role !== 'user')
      throw new UsageError('--role is no role', 'write --role admin or --role user');
    const directory = await findDataDirectory(given, context, { mayBeNew: true });
    const password = given.has('password-stdin')
      ? await passwordFromStdin(context.stdin)
      : await passwordFromTerminal(context);
    makePrivateDirectory(directory);
    return withAccounts(directory, context, async (accounts) => {
      const account = await onRecord({ given, context, directory }, async (record) => {
        const added = await accounts.add({ name, password, role });
        const data = { name: added.name, role, by: 'command line' };
        record.write({ event: 'user.added', subject: added.id, data });
        return added;
      });
      if (context.json)
        context.output.json({ ok: true, id: account.id, name: account.name, role: account.role });
      else context.output.line(`Added ${account.name} (${account.role}).`);
    });
  },
};

/** `portcullis users list`. */
export const usersList: CommandBody = {
  usage: ['[--removed] [--data DIR]'],
  options: {
    removed: { help: 'instead, people of identity providers who were removed and are kept out' },
    ...dataOptions,
  },
  async run(given, context) {
    const { output, json } = context;
    return withAccounts(await findDataDirectory(given, context), context, (accounts) => {
      if (given.has('removed')) return listRemoved(accounts, context);
      const users = accounts.list();
      const shown = users.map(({ id, name, role, createdAt }) => ({
        id,
        name,
        role,
        created: timestamp(createdAt),
      }));
      if (json) output.json({ users: shown });
      else if (shown.length === 0) output.line('Nobody can sign in yet.');
      else
        for (const { id, name, role, created } of shown)
          output.line(`${name.padEnd(24)}  ${role.padEnd(5)}  ${created}  ${id}`);
    });
  },
};

/** `portcullis users remove`. */
export const usersRemove: CommandBody = {
  usage: ['NAME [--data DIR]'],
  words: ['NAME'],
  options: dataOptions,
  async run(given, context) {
    const name = nameOf(given, `write ${context.self} users remove alice`);
    const directory = await findDataDirectory(given, context);
    return withAccounts(directory, context, async (accounts) => {
      const removed = accounts.remove(name);
      const data = { name: removed.name, role: removed.role, by: 'command line' };
      const event = { event: 'user.removed', subject: removed.id, data };
      const warnings = await recordDone({ given, context, directory }, event);
      if (context.json) context.output.json({ ok: true, name, warnings });
      else {
        context.output.line(`Removed ${name}.`);
        for (const warning of warnings) context.output.note(`warning: ${warning}`);
      }
    });
  },
};

/** `portcullis users restore`. */
export const usersRestore: CommandBody = {
  usage: ['NAME [--data DIR]'],
  words: ['NAME'],
  options: dataOptions,
  notes:
    'NAME as users list --removed shows it, or the subject. The next sign-in makes a new account: no session, grant, token\nor connection of the old one comes back. Somebody with a password is added again with users add.',
  async run(given, context) {
    const name = nameOf(given, `write ${context.self} users restore alice~0a1b2c`);
    const directory = await findDataDirectory(given, context);
    return withAccounts(directory, context, async (accounts) => {
      const restored = await onRecord({ given, context, directory }, (record) => {
        const people = accounts.restore(name);
        for (const { issuer, subject, name: known } of people) {
          const data = { issuer, name: known, by: 'command line' };
          record.write({ event: 'user.restored', subject, data });
        }
        return people;
      });
      if (context.json) context.output.json({ ok: true, restored });
      else context.output.line(`${name} can sign in again.`);
    });
  },
};

function listRemoved(accounts: Accounts, { output, json }: CommandContext): void {
  const removed = accounts.removed();
  if (json) output.json({ removed });
  else if (removed.length === 0) output.line('Nobody is kept out.');
  else {
    for (const { name, issuer, subject } of removed) {
      output.line(`${name ?? subject}  ${subject} of ${issuer}`);
    }
  }
}

type Accounts = ReturnType<typeof import('../../authorization-server/index.ts')['openAccounts']>;

async function withAccounts(
  directory: string,
  { clock }: CommandContext,
  work: (accounts: Accounts) => void | Promise<void>,
): Promise<0> {
  const { openAccounts } = await import('../../authorization-server/index.ts');
  const accounts = openAccounts(directory, clock);
  try {
    await work(accounts);
  } finally {
    accounts.close();
  }
  return exitCodes.ok;
}

function nameOf({ words: [name] }: Given, hint: string): string {
  if (name !== undefined) return name;
  throw new UsageError('the name is missing', hint);
}
