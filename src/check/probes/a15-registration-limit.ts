import {
  register,
  registeredClient,
  type SomeClient,
  unregister,
} from '../discovery/authorization-request.ts';
import { fail, notTested, type Probe, pass } from '../probe.ts';

const burst = 30;

export const registrationLimit: Probe = {
  id: 'A15',
  title: 'Registrations are limited',
  severity: 'medium',
  mode: 'writes',
  reference: 'RFC 7591 section 5; CWE-770',
  guideItems: [7],
  why: 'Each registration is a row in a database that strangers may fill.',
  remedy: {
    words: 'Limit registrations by address and in all, and answer 429.',
    sdk: 'rateLimit of clientRegistrationHandler.',
    portcullis: 'auth.embedded.clients.dynamicRegistration: { maxPerHour: 60, unusedDays: 7 }.',
  },
  async run(context) {
    const { register: mayWrite, burst: mayLoad } = context.allowed;
    if (!mayWrite || !mayLoad)
      return notTested('it would register clients in a burst', '--allow-register --allow-burst');
    if ((await context.once(registeredClient)) === null) return pass('registration is not open to anybody');
    const made: SomeClient[] = [];
    let verdict = null;
    for (let count = 1; count <= burst && verdict === null; count++) {
      // Each another client: the same one again may be answered with what it got before.
      const change = {
        client_name: `portcullis check ${count}`,
        redirect_uris: [`http://127.0.0.1:${33_500 + count}/callback`],
      };
      const { exchange, client } = await register(context, change, true);
      if (client) made.push(client);
      if (exchange?.status === 429) verdict = pass(`429 after ${count} registrations`, [exchange]);
      else if (exchange && client === null)
        verdict = pass(`refused with ${exchange.status} after ${count} registrations`, [exchange]);
    }
    for (const client of made) await unregister(context, client);
    return verdict ?? fail(`${burst} clients were registered in a row without a 429`);
  },
};
