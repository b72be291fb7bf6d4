import { z } from 'zod';
import { alerts } from './alerts.ts';
import { audit } from './audit.ts';
import { alsoShape } from './audit-also.ts';
import { captureShape } from './capture.ts';
import { clientsShape, dpopModes } from './clients.ts';
import { connect, vaultKey } from './connect.ts';
import { detections } from './detections.ts';
import { exchange } from './exchange.ts';
import { issuer } from './issuers.ts';
import { machinesShape } from './machines.ts';
import { observe, observedAuthentication } from './observe.ts';
import { postgres } from './postgres.ts';
import { fileReference, secretReference } from './secret-reference.ts';
import { signInShape } from './sign-in.ts';
import { staticKeys } from './static-keys.ts';
import { telemetry } from './telemetry.ts';
import {
  assertionHeader,
  duration,
  environmentName,
  headerName,
  network,
  publicUrl,
  rate,
  rates,
  ratesOrNone,
  scope,
  serverName,
  serverPath,
  upstreamUrl,
  webOrigin,
} from './values.ts';

// The file as the operator writes it, with its defaults. Values stay in the written form (`600/min`), so that
// `config explain` shows what people wrote; `resolve.ts` turns them into numbers.

const nonEmpty = z.string().min(1).max(4096);

const stdioUpstream = z.strictObject({
  command: z
    .array(nonEmpty)
    .min(1)
    .max(256)
    .meta({ description: 'Program and arguments; no shell reads them.' }),
  env: z.record(environmentName, secretReference).default({}),
  cwd: nonEmpty.optional(),
  isolation: z.enum(['shared', 'principal']).default('shared'),
  protocol: z.enum(['auto', 'modern', 'legacy']).default('auto'),
  timeout: duration.default('60s'),
});

const httpUpstream = z.strictObject({
  url: upstreamUrl,
  headers: z.record(headerName, secretReference).default({}),
  timeout: duration.default('60s'),
  connections: z.int().min(1).max(10_000).default(256),
  assertion: z
    .strictObject({
      header: assertionHeader.default('x-portcullis-assertion'),
      audience: nonEmpty.max(2048).optional().meta({ description: 'The url as written, unless given.' }),
    })
    .optional()
    .meta({ description: 'Send a signed assertion of who calls with each request.' }),
  connect: connect
    .optional()
    .meta({ description: 'Each person connects their own account there once, by OAuth.' }),
  exchange: exchange
    .optional()
    .meta({ description: 'A token of its own provider for each caller, by token exchange (RFC 8693).' }),
});

const server = z.strictObject({
  path: serverPath.optional().meta({ description: '/mcp for an only server, /NAME/mcp for one of several.' }),
  upstream: z.union([stdioUpstream, httpUpstream]),
  staticKeys: staticKeys.meta({ description: 'Keys of before OAuth, each until a day.' }),
  dpop: dpopModes.default('allowed').meta({ description: 'Tokens bound to a key of the client (RFC 9449).' }),
  validateArguments: z
    .boolean()
    .default(true)
    .meta({ description: "Arguments must fit the tool's own input schema before they leave." }),
  dpopNonce: z.boolean().default(false).meta({ description: 'Proofs must hold a nonce of this server.' }),
});

const embedded = z.strictObject({
  accessTokenMinutes: z.int().min(1).max(60).default(15),
  refreshTokenDays: z.int().min(1).max(365).default(30),
  ...signInShape,
  dpop: dpopModes.default('allowed').meta({ description: 'Tokens bound to a key of the client (RFC 9449).' }),
  clients: clientsShape,
  ...machinesShape,
});

/** What an embedded authorization server is when nobody describes it. */
export const embeddedDefaults = embedded.parse({});

const auth = z.strictObject({
  embedded: z
    .union([z.literal(false), embedded])
    .optional()
    .meta({ description: 'The built-in authorization server. On, unless `issuers` replace it.' }),
  issuers: z.array(issuer).max(64).default([]),
  revocation: z
    .strictObject({
      withinSeconds: z
        .int()
        .min(1)
        .max(60)
        .default(5)
        .meta({ description: 'A revoked token works nowhere after this time.' }),
    })
    .prefault({}),
  vaultKey: vaultKey
    .optional()
    .meta({ description: 'Encrypts the credentials that people connect: 32 bytes in base64.' }),
  scopesAdvertised: z.enum(['minimal', 'all']).default('minimal'),
  observe: observedAuthentication
    .optional()
    .meta({ description: 'Let callers in without a token, from private addresses, until a day.' }),
});

const toolRule = z
  .strictObject({
    match: nonEmpty.max(256).meta({ description: 'Glob on the tool name: `delete_*`.' }),
    server: serverName.optional(),
    hint: z.enum(['readOnly', 'destructive']).optional(),
    when: nonEmpty
      .max(2000)
      .optional()
      .meta({ description: 'CEL on `tool`, `args`, `caller`, `now`: `args.amount > 100`.' }),
    scope: scope.optional(),
    limit: z
      .union([
        rates,
        z
          .strictObject({ each: rates.optional(), total: rates.optional() })
          .refine(({ each, total }) => each ?? total, { message: 'has neither each nor total' }),
      ])
      .optional()
      .meta({ description: 'For each caller; { each, total } also for all callers together.' }),
    confirm: z.enum(['self', 'other']).optional(),
    show: z.enum(['open', 'locked', 'hidden']).optional(),
    ...captureShape,
  })
  .superRefine((rule, context) => {
    if (rule.scope ?? rule.limit ?? rule.confirm ?? rule.show ?? rule.capture) return;
    const hint = 'give it a scope, limit, confirm, show or capture';
    context.addIssue({
      code: 'custom',
      message: 'says nothing about the tools that it matches',
      params: { hint },
    });
  });

const storeDown = z.enum(['closed', 'local']);

const redis = z.strictObject({
  url: secretReference.meta({ description: 'redis://… or, with TLS, rediss://…' }),
  prefix: z
    .string()
    .regex(/^[A-Za-z0-9._:-]{1,64}$/)
    .default('portcullis:')
    .meta({ description: 'Begins every key. The same for all gateways that share limits.' }),
  cluster: z.boolean().default(false).meta({ description: 'The url names a node of a Redis Cluster.' }),
  commandTimeout: duration.default('250ms').meta({ description: 'The most that a call waits for Redis.' }),
  leases: z
    .strictObject({ most: z.int().min(2).max(10_000).default(100) })
    .optional()
    .meta({ description: 'Take calls from a counter several at once: faster, less exact.' }),
});

const limits = z.strictObject({
  client: ratesOrNone.default('600/min'),
  organization: ratesOrNone.default('60000/min'),
  address: rate.default('6000/min'),
  addressFailures: rate.default('300/min'),
  concurrent: z
    .strictObject({
      client: z.int().min(1).max(100_000).default(20),
      upstream: z.int().min(1).max(100_000).default(200),
      streams: z
        .int()
        .min(1)
        .max(10_000)
        .default(256)
        .meta({ description: 'Streams of one caller that stay open.' }),
    })
    .prefault({}),
  loop: z
    .strictObject({ identical: z.int().min(2).max(1000), within: duration })
    .optional()
    .meta({ description: 'Refuse the same call, of one caller with equal arguments, more often than this.' }),
  whenStoreIsDown: z
    .strictObject({
      destructive: storeDown.default('closed'),
      others: storeDown.default('local'),
    })
    .prefault({})
    .meta({
      description: 'While the shared counters cannot be reached: refuse, or count in this process alone.',
    }),
});

const pins = z.strictObject({
  changes: z.enum(['graded', 'strict']).optional().meta({
    description: 'Which changes keep a tool back: grave ones, or all. strict where there is a lock.',
  }),
  lock: nonEmpty.optional().meta({ description: 'File of reviewed definitions; only these are shown.' }),
});

const http = z.strictObject({
  maxBodyBytes: z.int().min(1024).max(67_108_864).default(4_194_304),
  maxJsonDepth: z.int().min(8).max(512).default(64),
  keepAliveSeconds: z.int().min(1).max(600).default(65),
  allowedOrigins: z.array(webOrigin).max(256).default([]),
  drainSeconds: z.int().min(0).max(600).default(10),
});

export const fileSchema = z.strictObject({
  publicUrl,
  listen: z
    .strictObject({
      host: z.string().min(1).max(255).default('127.0.0.1'),
      port: z.int().min(1).max(65_535).default(4180),
    })
    .prefault({}),
  tls: z
    .strictObject({
      cert: z.union([nonEmpty, fileReference]),
      key: fileReference,
      clientCertificates: z
        .strictObject({ ca: z.union([nonEmpty, fileReference]) })
        .optional()
        .meta({ description: 'Ask clients for a certificate; tokens may be bound to it (RFC 8705).' }),
    })
    .optional(),
  trustedProxies: z.array(network).max(256).default([]),
  data: nonEmpty.meta({ description: 'Directory of the embedded store and the keys.' }),
  redis: redis.optional().meta({ description: 'What gateways on several machines share: limits.' }),
  postgres: postgres.optional().meta({ description: 'Keeps the audit trail instead of the data directory.' }),
  mode: z
    .enum(['enforce', 'observe'])
    .default('enforce')
    .meta({ description: 'observe: record what would be refused, refuse nothing. Authentication stays.' }),
  observe,
  servers: z
    .record(serverName, server)
    .refine((servers) => Object.keys(servers).length > 0, { message: 'names no server' }),
  auth: auth.prefault({}),
  tools: z.array(toolRule).max(4096).optional(),
  resources: z.strictObject({ scope: scope.default('mcp:resources:read') }).prefault({}),
  prompts: z.strictObject({ scope: scope.default('mcp:resources:read') }).prefault({}),
  limits: limits.prefault({}),
  audit: audit.extend(alsoShape).prefault({}),
  pins: pins.prefault({}).meta({ description: 'Definitions of tools, and what to make of their changes.' }),
  http: http.prefault({}),
  detections: detections.prefault({}),
  alerts: alerts.prefault({}),
  telemetry: telemetry.prefault({}).meta({ description: 'Traces and metrics, beside the audit trail.' }),
});

/** What a file says once its defaults are filled in. */
export type FileConfig = z.output<typeof fileSchema>;
export type SecretReference = z.output<typeof secretReference>;
/** What was read of a file whose other sections have faults. */
export type PartialFileConfig = { [Key in keyof FileConfig]?: FileConfig[Key] | undefined };
