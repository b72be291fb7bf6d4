export {
  type Account,
  type AccountStore,
  type Accounts,
  createAccountStore,
  defaultOrganization,
  endEverything,
  openAccounts,
  type Role,
} from './accounts.ts';
export { minimumPasswordLength } from './password.ts';
export { createSignIn, type SignIn, type SignInResult } from './sign-in.ts';
export { Throttle } from './throttle.ts';
