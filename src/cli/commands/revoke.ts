import { OperationError, timestamp } from '../../base/index.ts';
import { type CommandBody, type CommandContext, exitCodes, type Given, UsageError } from '../command.ts';
import { dataOptions, findDataDirectory } from '../data-directory.ts';
import { recordDone } from '../record-event.ts';

type Grants = ReturnType<typeof import('../../authorization-server/index.ts')['openGrants']>;

const kinds = ['grant', 'client', 'user', 'jti', 'subject'] as const;
type Kind = (typeof kinds)[number];

/** What a revocation did, as it is told and recorded. */
interface Revoked {
  readonly event: 'grant.revoked' | 'client.revoked' | 'user.revoked' | 'token.revoked' | 'subject.revoked';
  readonly grants: number;
  readonly text: string;
  readonly client_id?: string;
  readonly subject?: string;
  readonly data: Readonly<Record<string, string | number | null>>;
}

/** `portcullis revoke`. */
export const revoke: CommandBody = {
  usage: [
    'grant ID | client ID | user NAME | jti ID [--data DIR]',
    'subject ID | client ID | jti ID [--issuer URL] [--data DIR]',
  ],
  words: ['KIND', 'ID'],
  options: {
    issuer: { value: 'URL', help: 'tokens of this other issuer alone; without it, of every one' },
    ...dataOptions,
  },
  notes:
    'A gateway that runs refuses the tokens within auth.revocation.withinSeconds (default 5) and ends their streams.\nWhoever may sign in can allow the access again: to keep somebody out, use users remove.\nThose of other issuers (auth.issuers) that are out end too, whatever the issuer says; new ones are good.',
  async run(given, context) {
    const { kind, id, issuer } = wanted(given, context);
    const directory = await findDataDirectory(given, context);
    return withGrants(directory, context, async (grants) => {
      const revoked = end(grants, { kind, id, issuer });
      const { event, client_id, subject, data } = revoked;
      const warnings = await recordDone(
        { given, context, directory },
        {
          event,
          client_id: client_id ?? null,
          subject: subject ?? null,
          data: { ...data, by: 'command line' },
        },
      );
      if (context.json) context.output.json({ ok: true, kind, id, grants: revoked.grants, warnings });
      else {
        context.output.line(revoked.text);
        for (const warning of warnings) context.output.note(`warning: ${warning}`);
      }
    });
  },
};

/** `portcullis grants list`. */
export const grantsList: CommandBody = {
  usage: ['[--user NAME] [--data DIR]'],
  options: { user: { value: 'NAME', help: 'of this person' }, ...dataOptions },
  notes: 'Names of clients are their own claims.',
  async run(given, context) {
    const { output, json } = context;
    return withGrants(await findDataDirectory(given, context), context, (grants) => {
      const name = given.text('user');
      const found = grants.list(name === undefined ? {} : { accountId: accountOf(grants, name) });
      const shown = found.map(({ id, clientId, clientName, accountName, createdAt, resources }) => ({
        id,
        user: accountName,
        client_id: clientId,
        client_name: clientName,
        created: timestamp(createdAt),
        resources,
      }));
      if (json) output.json({ grants: shown });
      else if (shown.length === 0) output.line('Nobody has allowed anything.');
      else for (const grant of shown) printGrant(grant, output);
    });
  },
};

interface ShownGrant {
  readonly id: string;
  readonly user: string | null;
  readonly client_id: string;
  readonly client_name: string | null;
  readonly created: string;
  readonly resources: readonly { readonly resource: string; readonly scopes: readonly string[] }[];
}

function printGrant(grant: ShownGrant, output: CommandContext['output']): void {
  const name = grant.client_name === null ? '' : ` (${grant.client_name})`;
  output.line(`${grant.id}  ${grant.created}  ${grant.user ?? 'somebody who is gone'}`);
  output.line(`    ${grant.client_id}${name}`);
  for (const { resource, scopes } of grant.resources) output.line(`    ${resource}: ${scopes.join(' ')}`);
}

interface Wanted {
  readonly kind: Kind;
  readonly id: string;
  /** Null: not named. */
  readonly issuer: string | null;
}

function wanted(given: Given, { self }: CommandContext): Wanted {
  const [kind, id] = given.words;
  const issuer = given.text('issuer') ?? null;
  const known = kinds.find((one) => one === kind);
  if (known === undefined) {
    throw new UsageError(
      kind === undefined ? 'what to revoke is missing' : 'this cannot be revoked',
      `write ${self} revoke ${kinds.join('|')} ID`,
    );
  }
  if (id === undefined || id.length === 0 || id.length > 2048) {
    throw new UsageError(`the ${known === 'user' ? 'name' : 'id'} is missing`, `see ${self} grants list`);
  }
  if (issuer !== null && (known === 'grant' || known === 'user')) {
    throw new UsageError(`a ${known} is of this gateway`, 'leave --issuer out');
  }
  return { kind: known, id, issuer };
}

function end(grants: Grants, { kind, id, issuer }: Wanted): Revoked {
  if (issuer !== null && kind !== 'grant' && kind !== 'user')
    return endElsewhere(grants, { kind, id, issuer });
  switch (kind) {
    case 'grant': {
      const found = grants.find(id);
      if (found === undefined || !grants.end(id)) throw missing('there is no such grant');
      const { clientId: client_id, accountId: subject } = found;
      const text = `Revoked ${id}.`;
      return { event: 'grant.revoked', grants: 1, text, client_id, subject, data: { grant_id: id } };
    }
    case 'client': {
      const { grants: count, registered } = grants.endClient(id);
      const gone = registered ? ' Its registration is gone too.' : '';
      const text = `Revoked ${counted(count)} of this client.${gone}`;
      return { event: 'client.revoked', grants: count, text, client_id: id, data: { grants: count } };
    }
    case 'user': {
      const subject = accountOf(grants, id);
      const count = grants.endAccount(subject);
      const text = `Revoked ${counted(count)} of ${id}, and signed them out.`;
      return { event: 'user.revoked', grants: count, text, subject, data: { grants: count } };
    }
    case 'subject':
      return endElsewhere(grants, { kind, id, issuer: null });
    case 'jti': {
      grants.endToken(id);
      return { event: 'token.revoked', grants: 0, text: 'Revoked this token.', data: { jti: id } };
    }
  }
}

type Elsewhere = Omit<Wanted, 'kind'> & { readonly kind: 'client' | 'jti' | 'subject' };

/** Tokens that this gateway does not issue: they end here, whatever their issuer knows. */
function endElsewhere(grants: Grants, { kind, id, issuer }: Elsewhere): Revoked {
  grants.endElsewhere(kind, id, issuer);
  const of = issuer === null ? 'every other issuer' : issuer;
  const data = { issuer, ...(kind === 'jti' && { jti: id }) };
  const event = ({ client: 'client.revoked', jti: 'token.revoked', subject: 'subject.revoked' } as const)[
    kind
  ];
  const who = kind === 'client' ? { client_id: id } : kind === 'subject' ? { subject: id } : {};
  const what = kind === 'jti' ? 'this token' : `the tokens of this ${kind} that are out`;
  return { event, grants: 0, text: `Revoked ${what}, of ${of}.`, ...who, data };
}

function counted(count: number): string {
  return count === 1 ? '1 grant' : `${count} grants`;
}

function accountOf(grants: Grants, name: string): string {
  const id = grants.accountId(name);
  if (id === undefined)
    throw new OperationError('there is no such account', { hint: 'see portcullis users list' });
  return id;
}

function missing(message: string): OperationError {
  return new OperationError(message, { hint: 'portcullis grants list' });
}

async function withGrants(
  directory: string,
  { clock }: CommandContext,
  work: (grants: Grants) => void | Promise<void>,
): Promise<0> {
  const { openGrants } = await import('../../authorization-server/index.ts');
  const grants = openGrants(directory, clock);
  try {
    await work(grants);
  } finally {
    grants.close();
  }
  return exitCodes.ok;
}
