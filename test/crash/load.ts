import { setTimeout as wait } from 'node:timers/promises';
import { decodeJwt } from 'jose';
import { callTool } from '../gateway/support.ts';
import { visit } from './person.ts';

/** What a client got, by a moment of the clock that all processes of a machine share. */
export interface Answered {
  /** `x-request-id` of the answer; of what is an event its name and what it is about. */
  readonly id: string;
  readonly kind: 'of the server' | 'refusal' | 'event';
  readonly status: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export interface LoadOptions {
  readonly origin: string;
  /** Of somebody who may do all but destroy. */
  readonly token: string;
  /** Called with each answer, in the turn in which it was read. */
  onAnswer(answer: Answered): void;
}

export interface Load {
  /** Resolves with the first answer of the server behind; at the latest after some seconds. */
  readonly serving: Promise<void>;
  stop(): Promise<void>;
}

/** Of the embedded authorization server's client, in the configuration of the run. */
export const machine = { id: 'machine', secret: 'only this machine knows it' };
export const weakScopes = 'mcp:tools:read mcp:tools:write';

const honestClients = 6;
const slowestStartMs = 15_000;
/** After a refusal: a store that is away must not be filled up by those who are refused at once. */
const pauseMs = 20;

type Ask = (options: LoadOptions) => Promise<Response>;

const honest: Ask = ({ origin, token }) => callTool(`${origin}/mcp`, token, 'echo', { text: 'x' });

/** Everybody who is turned away, each at another step, and somebody who gets a token. */
const others: readonly Ask[] = [
  ({ origin }) => callTool(`${origin}/mcp`, null, 'echo', { text: 'x' }),
  ({ origin }) => callTool(`${origin}/mcp`, 'bad', 'echo', { text: 'x' }),
  ({ origin, token }) => callTool(`${origin}/mcp`, token, 'delete_all', { text: 'x' }), // not its scope
  ({ origin, token }) => callTool(`${origin}/mcp`, token, 'rationed', { text: 'x' }), // over its limit
  ({ origin, token }) => callTool(`${origin}/mcp`, token, 'echo', { text: 1 }), // 200 with an error of ours
  ({ origin, token }) => post(`${origin}/mcp`, '{"jsonrpc":', { authorization: `Bearer ${token}` }),
  ({ origin }) => post(`${origin}/mcp`, '{}', { origin: 'https://evil.example' }),
  ({ origin }) => {
    const form = {
      ...{ grant_type: 'client_credentials', resource: `${origin}/mcp`, scope: 'mcp:tools:read' },
      ...{ client_id: machine.id, client_secret: machine.secret },
    };
    const type = { 'content-type': 'application/x-www-form-urlencoded' };
    return post(`${origin}/oauth/token`, new URLSearchParams(form).toString(), type);
  },
];

function post(url: string, body: string, headers: Record<string, string>): Promise<Response> {
  const json = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  return fetch(url, { method: 'POST', headers: { ...json, ...headers }, body });
}

export function startLoad(options: LoadOptions): Load {
  let over = false;
  let first: () => void = () => {};
  const serving = new Promise<void>((resolve) => {
    first = resolve;
  });
  const loop = async (ask: Ask) => {
    while (!over) {
      try {
        const answer = await read(await ask(options));
        if (answer) options.onAnswer(answer);
        if (answer?.kind === 'of the server') first();
        else await wait(pauseMs);
      } catch {
        if (!over) await wait(5);
      }
    }
  };
  const people = async () => {
    while (!over) {
      await visit({
        origin: options.origin,
        onTold({ event, about, status }) {
          options.onAnswer({ id: idOf(event, about), kind: 'event', status, at: Date.now() });
        },
      }).catch(() => {});
      await wait(pauseMs);
    }
  };
  const loops = [...Array<Ask>(honestClients).fill(honest), ...others].map(loop);
  const visits = people();
  const late = AbortSignal.timeout(slowestStartMs);
  late.addEventListener('abort', () => first());
  return {
    serving,
    async stop() {
      over = true;
      await Promise.all([...loops, visits]);
    },
  };
}

/** How an event is found again: by its name and one of the things that it names. */
export const idOf = (event: unknown, about: unknown): string => `${event} ${about}`;

/** Null for what is no answer to a request of an MCP endpoint, and no token. */
async function read(response: Response): Promise<Answered | null> {
  const { status } = response;
  const body = (await response.json()) as { result?: unknown; access_token?: string };
  const at = Date.now();
  const id = response.headers.get('x-request-id');
  if (id !== null) return { id, status, at, kind: body.result === undefined ? 'refusal' : 'of the server' };
  const jti = body.access_token === undefined ? undefined : decodeJwt(body.access_token).jti;
  return jti === undefined ? null : { id: idOf('token.issued', jti), status, at, kind: 'event' };
}
