export { compileStops, type Matcher, type Stoppable } from './matcher.ts';
export { openStopFile, type StopPlace, type StopReading, stopsFile } from './place.ts';
export { sharedStops } from './shared.ts';
export {
  isSameTarget,
  longestName,
  mostStops,
  type Stop,
  type StopKind,
  type StopTarget,
} from './stop.ts';
export { openStops, type StopChange, type Stops } from './stops.ts';
