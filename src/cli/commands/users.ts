import { timestamp } from '../../base/index.ts';
import { makePrivateDirectory } from '../../store/index.ts';
import { type Command, type CommandContext, exitCodes, type Given, UsageError } from '../command.ts';
import { dataOptions, findDataDirectory } from '../data-directory.ts';
import { passwordFromStdin, passwordFromTerminal } from '../password.ts';

/** `portcullis users add`. */
export const usersAdd: Command = {
  name: 'users add',
  summary: 'add somebody who can sign in',
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
      const account = await accounts.add({ name, password, role });
      if (context.json)
        context.output.json({ ok: true, id: account.id, name: account.name, role: account.role });
      else context.output.line(`Added ${account.name} (${account.role}).`);
    });
  },
};

/** `portcullis users list`. */
export const usersList: Command = {
  name: 'users list',
  summary: 'list who can sign in',
  usage: ['[--data DIR]'],
  options: dataOptions,
  async run(given, context) {
    const { output, json } = context;
    return withAccounts(await findDataDirectory(given, context), context, (accounts) => {
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
        for (const { name, role, created } of shown)
          output.line(`${name.padEnd(24)}  ${role.padEnd(5)}  ${created}`);
    });
  },
};

/** `portcullis users remove`. */
export const usersRemove: Command = {
  name: 'users remove',
  summary: 'remove somebody, with sessions and tokens',
  usage: ['NAME [--data DIR]'],
  words: ['NAME'],
  options: dataOptions,
  async run(given, context) {
    const name = nameOf(given, `write ${context.self} users remove alice`);
    return withAccounts(await findDataDirectory(given, context), context, (accounts) => {
      accounts.remove(name);
      if (context.json) context.output.json({ ok: true, name });
      else context.output.line(`Removed ${name}.`);
    });
  },
};

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
