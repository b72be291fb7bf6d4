export { createPasskeys, type PasskeySummary, type Passkeys } from './passkeys.ts';
