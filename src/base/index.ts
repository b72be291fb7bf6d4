export { equalInConstantTime, randomToken, sha256Hex } from './bytes.ts';
export { type Clock, systemClock, timestamp } from './clock.ts';
export { didYouMean } from './did-you-mean.ts';
export {
  ConfigurationError,
  type ConfigurationFault,
  faultLines,
  messageOf,
  OperationError,
} from './errors.ts';
export { uuidv7 } from './ids.ts';
export { readJson, type Span, withNames } from './json.ts';
export { type Log, silentLog } from './log.ts';
export { neutralJson, neutralLine, neutralLines, neutralText } from './neutral.ts';
export { isSecretName, redact, redactFields } from './redact.ts';
export {
  isRefusal,
  type LimitRefusal,
  type Refusal,
  type RefusalCode,
  refusalCodes,
  refuse,
} from './refusal.ts';
export { Secret } from './secret.ts';
