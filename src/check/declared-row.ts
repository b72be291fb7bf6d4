import type { CheckContext } from './context.ts';
import type { DeclaredStatement } from './declared.ts';
import { fail, notTested, pass, type Verdict } from './probe.ts';

/** A row about what cannot be seen from outside: the word of a configuration, and called so. */
export async function declaredOn(
  { declared }: CheckContext,
  subject: DeclaredStatement['subject'],
): Promise<Verdict> {
  if (declared === null) return notTested('it cannot be seen from outside', '--config FILE');
  const statements = declared.statements.filter((one) => one.subject === subject);
  if (statements.length === 0) return notTested('the configuration does not say');
  const bad = statements.filter(({ good }) => !good);
  if (bad.length > 0) return fail(bad.map(({ text }) => ({ text: `declared: ${text}` })));
  return pass(`declared, not observed: ${statements.map(({ text }) => text).join('; ')}`);
}
