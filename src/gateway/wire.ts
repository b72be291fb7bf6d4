import type { AuthorizationServer } from '../authorization-server/index.ts';
import type { Config, ServerConfig } from '../config/index.ts';
import { compilePolicy, type Policy } from '../policy/index.ts';
import { isSame } from './reload.ts';
import type { Site } from './routes.ts';
import { authorizationServerFor } from './wire-authorization.ts';
import { type Backend, createBackend } from './wire-backends.ts';
import type { Parts } from './wire-parts.ts';
import { protectedServer } from './wire-servers.ts';
import { siteOf } from './wire-site.ts';
import { verifierFactory } from './wire-verifiers.ts';

/** Everything that serves one configuration. */
export interface Wiring {
  readonly config: Config;
  readonly site: Site;
  readonly backends: ReadonlyMap<string, Backend>;
  readonly authorizationServer: AuthorizationServer | null;
}

/** Configuration → everything that serves it. This file and the `wire-*.ts` beside it are the only ones that name implementations. */
export async function wire(config: Config, parts: Parts, before: Wiring | null): Promise<Wiring> {
  const usePins = parts.pins.prepare(
    config.pins,
    config.servers.map(({ name }) => name),
  );
  const guarded: { server: ServerConfig; backend: Backend; policy: Policy }[] = [];
  for (const server of config.servers) {
    const backend = unchanged(server, before) ?? (await createBackend(server, parts));
    guarded.push({ server, backend, policy: policyFor(server, config) });
  }
  const policies = guarded.map(({ policy }) => policy);
  const authorizationServer = await authorizationServerFor(config, policies, parts);
  const verifiers = verifierFactory(config, authorizationServer, parts);
  const servers = new Map(
    guarded.map(({ server, ...its }) => [
      server.path,
      protectedServer(server, { ...its, config, parts, authorizationServer, verifiers: verifiers(server) }),
    ]),
  );
  parts.connections.use(authorizationServer?.credentials ?? null);
  usePins();
  return {
    config,
    backends: new Map(guarded.map(({ server, backend }) => [server.name, backend])),
    authorizationServer,
    site: siteOf({ config, parts, servers, authorizationServer, before }),
  };
}

/** A reload that leaves a server's configuration as it is leaves its process and connections running. */
function unchanged(server: ServerConfig, before: Wiring | null): Backend | undefined {
  const running = before?.backends.get(server.name);
  return running && isSame(running.config, server) ? running : undefined;
}

function policyFor(server: ServerConfig, config: Config): Policy {
  const { tools, resources, prompts } = config;
  return compilePolicy({ server: server.name, rules: tools, resources, prompts });
}
