import { isRefusal, messageOf, type Refusal, refuse, uuidv7 } from '../base/index.ts';
import { Answer } from './answer.ts';
import type { ClearedCall, ReceivedCall } from './call.ts';
import { CallRecord } from './call-record.ts';
import { answerTo } from './outcome.ts';
import type { IncomingRequest, Reply } from './request.ts';
import { limitDetails, resultOf } from './result.ts';
import type { ProtectedServer, Runtime } from './runtime.ts';
import { recordIntent } from './steps/audit.ts';
import { authenticate } from './steps/authenticate.ts';
import { authorize } from './steps/authorize.ts';
import { confirm } from './steps/confirm.ts';
import { forward } from './steps/forward.ts';
import { limit } from './steps/limit.ts';
import { admitObserved } from './steps/observed-limit.ts';
import { parse } from './steps/parse.ts';
import { checkStops } from './steps/stop.ts';

export interface Arrival {
  readonly request: IncomingRequest;
  readonly reply: Reply;
  readonly server: ProtectedServer;
  /** What the HTTP server found wrong before anything was read: Host, Origin, plain text where TLS is due. */
  readonly refusal: Refusal | null;
}

/**
 * The life of a call. Every exit is an answer in the right shape and a record; the record is opened before the first step and
 * closed exactly once.
 */
export async function handle(arrival: Arrival, runtime: Runtime): Promise<void> {
  const call = receive(arrival, runtime);
  const records = new CallRecord(call, runtime);
  try {
    const refusal = await pass(call, { arrival, records, runtime });
    if (refusal) await exit(refusal, { call, reply: arrival.reply, records });
  } catch (error) {
    const detail = messageOf(error);
    runtime.log.error({ request_id: call.requestId, detail }, 'a call failed inside the gateway');
    (call as Partial<ClearedCall>).release?.();
    await exit(refuse('internal_error', 'Internal error', { detail }), {
      call,
      reply: arrival.reply,
      records,
    });
  }
}

interface Passage {
  readonly arrival: Arrival;
  readonly records: CallRecord;
  readonly runtime: Runtime;
}

/** The steps, in order: each gives the grown call or a refusal. */
async function pass(call: ReceivedCall, { arrival, records, runtime }: Passage): Promise<Refusal | null> {
  if (arrival.refusal) return arrival.refusal;
  const principal = await authenticate(call, runtime);
  if (isRefusal(principal)) return turnAway(call, principal, runtime);
  Object.assign(call, { principal }); // the record names who, whatever is wrong with the message
  const share = runtime.bodies.open(principal.subjectKey);
  records.releaseAtClose(share.release);
  const parsed = await parse(call, runtime, { maxBytes: runtime.http.maxBodyBytes, take: share.take });
  if (isRefusal(parsed)) return parsed;
  const authorized = await authorize(Object.assign(parsed, { principal }), runtime);
  if (isRefusal(authorized)) return authorized;
  const stopped = checkStops(authorized);
  if (stopped) return stopped;
  const decided = limit(authorized, runtime);
  const limited = decided instanceof Promise ? await decided : decided;
  const admitted = isRefusal(limited) ? admitObserved(authorized, limited) : limited;
  if (isRefusal(admitted)) return admitted;
  const cleared = confirm(admitted);
  if (isRefusal(cleared)) return cleared;
  const unrecorded = await recordIntent(cleared, records);
  if (unrecorded) return unrecorded;
  // Again, and in one go with what lists the call as running: a stop comes before, or finds it there.
  const meanwhile = checkStops(cleared);
  if (meanwhile) {
    cleared.release();
    return meanwhile;
  }
  const answer = new Answer(cleared, { reply: arrival.reply, record: records, runtime });
  answer.open(() => {
    records.leaves();
    return forward(cleared, answer, records.trace);
  });
  return null;
}

/** A body that nobody vouches for is read up to here, to say in the record what was tried. */
const strangersBytes = 16 * 1024;

/** Strangers cost little: a small body is read for the record, and who comes too often is not read at all. */
async function turnAway(call: ReceivedCall, refusal: Refusal, runtime: Runtime): Promise<Refusal> {
  const maxBytes = Math.min(strangersBytes, runtime.http.maxBodyBytes);
  if (refusal.code !== 'limit_address') await parse(call, runtime, { maxBytes, take: () => null });
  return refusal;
}

function receive({ server, request }: Arrival, { clock }: Runtime): ReceivedCall {
  const receivedAt = clock.now();
  const startedAt = clock.monotonic();
  return { requestId: uuidv7(receivedAt), receivedAt, startedAt, server, request, noted: {} };
}

interface Exit {
  readonly call: ReceivedCall;
  readonly reply: Reply;
  readonly records: CallRecord;
}

/** No intent tells of a call that did not leave, so its answer waits for its outcome: who has it cannot make it undone by a crash. */
async function exit(refusal: Refusal, { call, reply, records }: Exit): Promise<void> {
  await records.captureRefused(refusal);
  const answer = answerTo(refusal, call);
  Object.assign(call.noted, limitDetails(refusal));
  await records.closeOnDisk({
    result: resultOf(refusal),
    reason: refusal.code,
    detail: refusal.detail ?? null,
    status: answer.status,
    rpcCode: answer.rpcCode,
  });
  reply.start(answer.status, { ...answer.headers, 'content-length': String(answer.body.length) });
  reply.end(answer.body);
}
