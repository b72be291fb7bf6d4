export { accountPage } from './account.ts';
export { consentPage } from './consent.ts';
export { endErrorPage } from './error.ts';
export { endPage } from './layout.ts';
export { setupPage } from './setup.ts';
export { signInPage } from './sign-in.ts';
