import type { Command, CommandBody } from './command.ts';

/** A command before it is asked for. */
export interface CommandEntry {
  /** `audit tail`. */
  readonly name: string;
  readonly summary: string;
  /** Reads the command and what it needs: nothing of that is loaded for another. */
  load(): Promise<CommandBody>;
}

/** Every command, in the order of the help. */
export const commands: readonly CommandEntry[] = [
  {
    name: 'protect',
    summary: 'put the gateway in front of one MCP server',
    load: async () => (await import('./commands/protect.ts')).protect,
  },
  {
    name: 'serve',
    summary: 'run the gateway as a configuration file says',
    load: async () => (await import('./commands/serve.ts')).serve,
  },
  {
    name: 'config check',
    summary: 'find every fault of a configuration file',
    load: async () => (await import('./commands/config.ts')).configCheck,
  },
  {
    name: 'config explain',
    summary: 'show every value of a configuration, and where it came from',
    load: async () => (await import('./commands/config.ts')).configExplain,
  },
  {
    name: 'policy explain',
    summary: 'say what would happen to a call, and which line of the file says so',
    load: async () => (await import('./commands/policy.ts')).policyExplain,
  },
  {
    name: 'policy test',
    summary: 'run a table of cases against the rules',
    load: async () => (await import('./commands/policy.ts')).policyTest,
  },
  {
    name: 'policy init',
    summary: 'read the tools of a server and write a policy that names each',
    load: async () => (await import('./commands/policy-init.ts')).policyInit,
  },
  {
    name: 'doctor',
    summary: 'say which clients will connect to a URL, and why one will not',
    load: async () => (await import('./commands/doctor.ts')).doctor,
  },
  {
    name: 'check',
    summary: 'test the security of any MCP server from outside',
    load: async () => (await import('./commands/check.ts')).check,
  },
  {
    name: 'audit tail',
    summary: 'show the last calls, and those that come',
    load: async () => (await import('./commands/audit.ts')).auditTail,
  },
  {
    name: 'audit query',
    summary: 'find calls in the audit log',
    load: async () => (await import('./commands/audit.ts')).auditQuery,
  },
  {
    name: 'audit trace',
    summary: 'tell all that is known of one call',
    load: async () => (await import('./commands/audit-trace.ts')).auditTrace,
  },
  {
    name: 'audit stats',
    summary: 'count calls: who, what, how often, how fast, what was denied',
    load: async () => (await import('./commands/audit-stats.ts')).auditStats,
  },
  {
    name: 'audit export',
    summary: 'write the audit log in the form of a SIEM, to standard output',
    load: async () => (await import('./commands/audit-export.ts')).auditExport,
  },
  {
    name: 'audit verify',
    summary: 'find what was done to the audit log since it was written',
    load: async () => (await import('./commands/audit-evidence.ts')).auditVerify,
  },
  {
    name: 'audit match',
    summary: 'find calls that had exactly these arguments; the question is recorded',
    load: async () => (await import('./commands/audit-evidence.ts')).auditMatch,
  },
  {
    name: 'audit open',
    summary: 'open encrypted arguments with the private key of the auditor',
    load: async () => (await import('./commands/audit-open.ts')).auditOpen,
  },
  {
    name: 'audit keys',
    summary: 'show the public keys that checkpoints are verified with, or make new ones',
    load: async () => (await import('./commands/audit-evidence.ts')).auditKeys,
  },
  {
    name: 'audit retention',
    summary: 'remove what is older than it is kept, on record, or show what would go',
    load: async () => (await import('./commands/audit-retention.ts')).auditRetention,
  },
  {
    name: 'report',
    summary: 'propose scopes and limits from what the audit log has seen',
    load: async () => (await import('./commands/report.ts')).report,
  },
  {
    name: 'pins list',
    summary: 'list the tools whose definitions are kept, and those in quarantine',
    load: async () => (await import('./commands/pins.ts')).pinsList,
  },
  {
    name: 'pins diff',
    summary: 'show how a tool in quarantine differs from its pin',
    load: async () => (await import('./commands/pins.ts')).pinsDiff,
  },
  {
    name: 'pins approve',
    summary: 'let a tool in quarantine go on with the definition that was shown',
    load: async () => (await import('./commands/pins.ts')).pinsApprove,
  },
  {
    name: 'pins export',
    summary: 'write the pins as a lock file to review and commit',
    load: async () => (await import('./commands/pins.ts')).pinsExport,
  },
  {
    name: 'alerts test',
    summary: 'send one alert to the webhook of the configuration',
    load: async () => (await import('./commands/alerts.ts')).alertsTest,
  },
  {
    name: 'users add',
    summary: 'add somebody who can sign in',
    load: async () => (await import('./commands/users.ts')).usersAdd,
  },
  {
    name: 'users list',
    summary: 'list who can sign in',
    load: async () => (await import('./commands/users.ts')).usersList,
  },
  {
    name: 'users remove',
    summary: 'remove somebody, with sessions and tokens',
    load: async () => (await import('./commands/users.ts')).usersRemove,
  },
  {
    name: 'users restore',
    summary: 'let somebody of an identity provider in again',
    load: async () => (await import('./commands/users.ts')).usersRestore,
  },
  {
    name: 'grants list',
    summary: 'list what people allowed to which clients',
    load: async () => (await import('./commands/revoke.ts')).grantsList,
  },
  {
    name: 'revoke',
    summary: 'end tokens: of a grant, a client, somebody, or one',
    load: async () => (await import('./commands/revoke.ts')).revoke,
  },
  {
    name: 'stop list',
    summary: 'list what is stopped',
    load: async () => (await import('./commands/stop.ts')).stopList,
  },
  {
    name: 'stop',
    summary: 'stop a tool, client, organization or server, at once',
    load: async () => (await import('./commands/stop.ts')).stop,
  },
  {
    name: 'resume',
    summary: 'let a tool, client, organization or server go on that was stopped',
    load: async () => (await import('./commands/stop.ts')).resume,
  },
];

export async function loadCommand({ name, summary, load }: CommandEntry): Promise<Command> {
  return { name, summary, ...(await load()) };
}
