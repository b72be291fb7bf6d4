import type Provider from 'oidc-provider';
import type { AuthorizationServerOptions } from './options.ts';

type Interaction = Awaited<ReturnType<Provider['interactionDetails']>>;

export interface OtherSessionParts {
  readonly provider: () => Provider;
  readonly options: AuthorizationServerOptions;
}

/** Somebody else was signed in: that session ends, and nothing of it carries over. */
export async function leaveOtherSession(
  { provider, options }: OtherSessionParts,
  interaction: Interaction,
  accountId: string,
): Promise<void> {
  const { session } = interaction;
  if (session?.uid === undefined || session.accountId === undefined || session.accountId === accountId)
    return;
  const found = await provider().Session.findByUid(session.uid);
  await found?.destroy();
  delete interaction.session;
  await interaction.save(Math.max(1, interaction.exp - Math.floor(options.clock.now() / 1000)));
}
