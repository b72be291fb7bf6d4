import { createHmac } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type Clock,
  equalInConstantTime,
  messageOf,
  OperationError,
  Secret,
  sha256Hex,
} from '../base/index.ts';
import type { Db } from '../store/index.ts';
import type { Account, AccountStore } from './accounts/index.ts';
import { endMethodNotAllowed, redirect } from './answers.ts';
import type { Audit } from './events.ts';
import type { FormGuard } from './forms.ts';
import { endErrorPage, endPage, setupPage } from './pages/index.ts';

export interface SetupParts {
  readonly db: Db;
  readonly clock: Clock;
  readonly accounts: AccountStore;
  readonly publicUrl: string;
  /** Secret of this installation: the link's token is derived from it, so that a reload keeps the link that was printed. */
  readonly key: string;
  readonly forms: FormGuard;
  readonly audit: Audit;
  readonly signIn: (req: IncomingMessage, res: ServerResponse, account: Account) => Promise<void>;
}

export interface Setup {
  /** The one-time link; null when there is an administrator. */
  url(): string | null;
  handle(req: IncomingMessage, res: ServerResponse, address: string): Promise<void>;
}

/** A link on which the first administrator is made. Only the hash of its token is stored; it is good until there is one. */
export function createSetup(parts: SetupParts): Setup {
  const { db, accounts, publicUrl } = parts;
  const token = accounts.hasAdmin()
    ? null
    : createHmac('sha256', parts.key).update('setup link').digest('base64url');
  db.exec('DELETE FROM setup');
  if (token !== null) storeToken(db, token);
  return {
    url: () => (token === null || accounts.hasAdmin() ? null : `${publicUrl}/setup?token=${token}`),
    async handle(req, res, address) {
      if (req.method === 'GET') return show(parts, { req, res, address });
      if (req.method === 'POST') return submit(parts, { req, res, address });
      endMethodNotAllowed(res, 'GET, POST');
    },
  };
}

function storeToken(db: Db, token: string): void {
  db.prepare('INSERT OR REPLACE INTO setup (only, token_hash) VALUES (1, :hash)').run({
    hash: sha256Hex(token),
  });
}

/** @param token attacker-controlled */
function isValid({ db, accounts }: SetupParts, token: string): boolean {
  const stored = db.prepare('SELECT token_hash FROM setup').get()?.['token_hash'];
  return !accounts.hasAdmin() && equalInConstantTime(sha256Hex(token), String(stored));
}

function show(
  parts: SetupParts,
  { req, res, address }: { req: IncomingMessage; res: ServerResponse; address: string },
): void {
  const token = new URLSearchParams((req.url ?? '').split('?')[1] ?? '').get('token') ?? '';
  if (isValid(parts, token)) {
    endForm(parts, { req, res }, { status: 200, token, name: 'admin', error: null });
    return;
  }
  refuseLink(parts, address);
  endDead(res);
}

/** Somebody tries links, or uses one that has been used. */
function refuseLink({ accounts, audit }: SetupParts, address: string): void {
  audit('setup.refused', { address, data: { reason: accounts.hasAdmin() ? 'used' : 'unknown' } });
}

async function submit(
  parts: SetupParts,
  { req, res, address }: { req: IncomingMessage; res: ServerResponse; address: string },
): Promise<void> {
  const form = await parts.forms.read(req, 'setup');
  const token = form?.get('token') ?? '';
  if (form === null || !isValid(parts, token)) {
    refuseLink(parts, address);
    return endDead(res);
  }
  const [name, password] = [form.get('name') ?? '', form.get('password') ?? ''];
  const again = (error: string) => endForm(parts, { req, res }, { status: 400, token, name, error });
  if (password !== form.get('repeated')) return again('The two passwords are not the same.');
  try {
    const account = await createAdmin(parts, { token, name, password });
    if (account === null) return endDead(res);
    parts.audit('setup.completed', { subject: account.id, address, data: { name: account.name } });
    await parts.signIn(req, res, account);
    redirect(res, `${parts.publicUrl}/account`);
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    again([messageOf(error), error.hint].filter(Boolean).join(': '));
  }
}

/** The token is taken first, so that of two concurrent submissions one makes an account; and given back on failure. */
async function createAdmin(
  { db, accounts }: SetupParts,
  { token, name, password }: { token: string; name: string; password: string },
): Promise<Account | null> {
  const taken = db.prepare('DELETE FROM setup WHERE token_hash = :hash').run({ hash: sha256Hex(token) });
  if (taken.changes === 0) return null;
  try {
    return await accounts.add({ name, password: new Secret(password), role: 'admin' });
  } catch (error) {
    storeToken(db, token);
    throw error;
  }
}

function endForm(
  parts: SetupParts,
  { req, res }: { req: IncomingMessage; res: ServerResponse },
  form: { status: number; token: string; name: string; error: string | null },
): void {
  const { status, ...fields } = form;
  const csrf = parts.forms.token(req, res, 'setup');
  endPage(res, { status, page: setupPage({ ...fields, csrf, action: `${parts.publicUrl}/setup` }) });
}

function endDead(res: ServerResponse): void {
  endErrorPage(res, 404, 'This link has been used, or was never valid.');
}
