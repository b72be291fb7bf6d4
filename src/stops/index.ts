export { compileStops, type Matcher, type Stoppable } from './matcher.ts';
export { openStopFile, type StopPlace, stopsFile } from './place.ts';
export {
  describeTarget,
  isSameTarget,
  longestName,
  longestReason,
  mostStops,
  readStop,
  type Stop,
  type StopKind,
  type StopTarget,
  stopKinds,
} from './stop.ts';
export { openStops, type StopChange, type Stops } from './stops.ts';
