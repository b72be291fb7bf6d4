export { eventually } from './eventually.ts';
export {
  type FixtureOptions,
  type FixtureRequest,
  type FixtureServer,
  startFixtureServer,
} from './fixture-server.ts';
