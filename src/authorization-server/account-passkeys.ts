import type { IncomingMessage, ServerResponse } from 'node:http';
import { timestamp } from '../base/index.ts';
import type { Account } from './accounts/index.ts';
import type { Audit } from './events.ts';
import type { FormGuard } from './forms.ts';
import type { PasskeySection } from './pages/index.ts';
import { displayText } from './pages/text.ts';
import type { Passkeys } from './passkeys/index.ts';

export interface AccountPasskeysParts {
  readonly passkeys: Passkeys;
  readonly forms: FormGuard;
  readonly audit: Audit;
  /** URL of the account page. */
  readonly base: string;
  readonly purpose: string;
}

interface Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly account: Account;
}

/** The part of the account page on which somebody keeps their passkeys. */
export interface AccountPasskeys {
  /** @param isRecent whether the person signed in just now: without it nothing can be changed */
  section(exchange: Exchange, isRecent: boolean): Promise<PasskeySection>;
  /** False if nothing was added. */
  add(exchange: Exchange, form: URLSearchParams, address: string): Promise<boolean>;
  remove(exchange: Exchange, form: URLSearchParams, address: string): boolean;
}

export function createAccountPasskeys(parts: AccountPasskeysParts): AccountPasskeys {
  const { passkeys, forms, audit, base, purpose } = parts;
  return {
    async section({ req, res, account }, isRecent) {
      const context = [purpose, forms.browser(req, res)];
      const day = (at: number) => timestamp(at).slice(0, 10);
      return {
        list: passkeys.list(account.id).map(({ credentialId, label, createdAt, usedAt }) => ({
          id: credentialId,
          label: displayText(label, 64),
          created: day(createdAt),
          used: usedAt === null ? null : day(usedAt),
        })),
        removeAction: `${base}/passkeys/remove`,
        confirmUrl: `${base}/confirm`,
        enrolment: isRecent
          ? {
              action: `${base}/passkeys/add`,
              csrf: forms.token(req, res, purpose),
              options: await passkeys.enrolOptions(account, context),
            }
          : null,
      };
    },
    async add({ req, res, account }, form, address) {
      const label = displayText(form.get('label') ?? '', 64) || 'Passkey';
      const given = { response: form.get('credential') ?? '', label };
      const isAdded = await passkeys.enrol(account, given, [purpose, forms.browser(req, res)]);
      if (isAdded) audit('passkey.added', { subject: account.id, address, data: { label } });
      return isAdded;
    },
    remove({ account }, form, address) {
      const isRemoved = passkeys.remove(account.id, form.get('passkey') ?? '');
      if (isRemoved) audit('passkey.removed', { subject: account.id, address });
      return isRemoved;
    },
  };
}
