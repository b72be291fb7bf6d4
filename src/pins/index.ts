export { type Approval, approve } from './approve.ts';
export { type Definition, readDefinition } from './definition.ts';
export { type Finding, type FindingKind, type Grade, gradeOf } from './finding.ts';
export { gradeChange, gradeFirst } from './grade.ts';
export { formatLock, readLock } from './lock.ts';
export {
  createPins,
  type Held,
  type PinEvent,
  type PinRules,
  type PinState,
  type Pins,
  type PinsOptions,
  type SeenList,
  type ServerPins,
} from './pins.ts';
export { type Candidate, openPinStore, type Pin, type PinStore } from './store.ts';
