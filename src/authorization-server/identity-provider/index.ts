export { createIdentities, type Identities } from './identities.ts';
export { createIdentityProvider, type IdentityProvider } from './provider.ts';
export { createLivingAccount, type LivingAccount } from './recheck.ts';
export { createSeal } from './seal.ts';
export { callbackPath, createProviderSignIn, type ProviderSignIn } from './sign-in.ts';
