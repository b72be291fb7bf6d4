export { accountPage, type PasskeySection } from './account.ts';
export { consentPage } from './consent.ts';
export { endErrorPage } from './error.ts';
export { endPage } from './layout.ts';
export { leavePage } from './leave.ts';
export { endRefusedPage } from './refused.ts';
export { endPasskeyScript, passkeyScriptPath } from './script.ts';
export { setupPage } from './setup.ts';
export { type SignInOffer, type SignInPage, signInPage } from './sign-in.ts';
