import { compileGlob, type Glob } from '../policy/index.ts';
import { skeleton } from './look-alike.ts';
import type { Stop, StopKind } from './stop.ts';

/** Who calls what, as far as stops look at it. */
export interface Stoppable {
  readonly server: string;
  /** Null for what is no tool call. */
  readonly tool: string | null;
  readonly issuer: string;
  readonly clientId: string;
  readonly organization: string;
}

/** Stops that are in force, compiled. */
export interface Matcher {
  readonly size: number;
  /** The first stop that hits the call, or null. */
  find(call: Stoppable): Stop | null;
  /** Whether a tool of a server is stopped, whoever calls. */
  findTool(server: string, tool: string): Stop | null;
}

interface Compiled {
  readonly stop: Stop;
  readonly glob: Glob;
}

/** Names of tools are compared as people see them; all others as they are, but for how Unicode composes them. */
export function compileStops(stops: readonly Stop[]): Matcher {
  const of = (kind: StopKind): readonly Compiled[] =>
    stops.filter((stop) => stop.kind === kind).map((stop) => ({ stop, glob: globOf(stop) }));
  const [tools, clients] = [of('tool'), of('client')];
  const [organizations, servers] = [of('organization'), of('server')];

  const findTool = (server: string, tool: string): Stop | null => {
    if (tools.length === 0) return null;
    const seen = skeleton(tool);
    return first(tools, (stop, glob) => (stop.server ?? server) === server && glob.matches(seen));
  };
  const ofIssuer = (among: readonly Compiled[], name: string, issuer: string): Stop | null => {
    if (among.length === 0) return null;
    const composed = name.normalize('NFC');
    return first(among, (stop, glob) => (stop.issuer ?? issuer) === issuer && glob.matches(composed));
  };
  return {
    size: stops.length,
    find: ({ server, tool, issuer, clientId, organization }) =>
      first(servers, (stop) => stop.name === server) ??
      ofIssuer(organizations, organization, issuer) ??
      ofIssuer(clients, clientId, issuer) ??
      (tool === null ? null : findTool(server, tool)),
    findTool,
  };
}

function first(among: readonly Compiled[], hits: (stop: Stop, glob: Glob) => boolean): Stop | null {
  return among.find(({ stop, glob }) => hits(stop, glob))?.stop ?? null;
}

function globOf({ kind, name }: Stop): Glob {
  if (kind === 'tool') return compileGlob(skeleton(name));
  const composed = name.normalize('NFC');
  return kind === 'client' ? compileGlob(composed) : { pattern: name, matches: (text) => text === composed };
}
