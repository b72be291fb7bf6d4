import { messageOf, neutralLines } from '../base/index.ts';
import type { CheckContext } from './context.ts';
import { openings } from './discovery/openings.ts';
import type { Door } from './door.ts';
import { type Evidence, evidenceOf, redact } from './evidence.ts';
import type { Exchange } from './exchange.ts';
import { rpcOf } from './mcp.ts';
import { notTested, type Probe, type Verdict } from './probe.ts';
import { probes as allProbes } from './probes/index.ts';
import { type ContextOptions, openContext } from './start.ts';

export interface RunOptions extends ContextOptions {
  readonly onProgress?: (progress: Progress) => void;
  /** Rows to run; all of them by default. */
  readonly only?: readonly string[];
}

export interface Progress {
  readonly done: number;
  readonly total: number;
  readonly row: Row;
}

/** A row's verdict as it is reported: evidence is redacted and neutral text. */
export interface Row {
  readonly probe: Probe;
  readonly verdict: Verdict;
  readonly evidence: readonly Evidence[];
}

export interface Run {
  readonly target: URL;
  readonly rows: readonly Row[];
  readonly requests: number;
  readonly seconds: number;
  /** Why it ended before all was asked; null where it did not. */
  readonly incomplete: string | null;
  /** When it began, in milliseconds since the epoch. */
  readonly at: number;
}

/** Asks all the questions, one after the other. A row that breaks is not tested; it neither passes nor stops the others. */
export async function runCheck(options: RunOptions): Promise<Run> {
  const { target, clock, only, onProgress } = options;
  const [started, at] = [clock.monotonic(), clock.now()];
  const verdicts = new Map<string, Verdict>();
  const context = await openContext(options, verdicts);
  const { door } = context;
  const chosen = allProbes.filter(({ id }) => only === undefined || only.includes(id));
  const rows: Row[] = [];
  const dead = await silence(context);
  const nothing = door.answered === 0;
  for (const probe of chosen) {
    const verdict = (probe.beforeAnswers && nothing ? null : dead) ?? (await verdictOn(probe, context));
    verdicts.set(probe.id, verdict);
    const row = rowOf(probe, verdict, door);
    rows.push(row);
    onProgress?.({ done: rows.length, total: chosen.length, row });
  }
  return {
    target,
    rows: rows.toSorted((a, b) => order(a.probe.id) - order(b.probe.id)),
    requests: door.asked,
    incomplete: door.over,
    seconds: Math.round((clock.monotonic() - started) / 100) / 10,
    at,
  };
}

const areas = 'ATSHLDEPC';
const order = (id: string): number => areas.indexOf(id.charAt(0)) * 100 + Number(id.slice(1));

/** A server that answers nothing, or only sends elsewhere, passes nothing. */
async function silence(context: CheckContext): Promise<Verdict | null> {
  const all = await context.once(openings);
  const answers = all.map(({ exchange }) => exchange).filter(({ status }) => status !== 0);
  if (answers.length === 0) return notTested(all[0]?.exchange.failure ?? 'the server does not answer');
  // A redirect is followed by nobody here, so what stands behind it was asked nothing.
  const isElsewhere = answers.every(({ status }) => status >= 300 && status < 400);
  if (isElsewhere) return notTested('every answer is a redirect', 'the URL that it leads to');
  if (answers.some(looksLikeMcp)) return null;
  const statuses = [...new Set(answers.map(({ status }) => status))].join(', ');
  return notTested(
    `no MCP server answers here, but something else does (${statuses})`,
    'the URL of its endpoint',
  );
}

/** A page for every request is no refusal, and whoever passes it has checked nothing. */
function looksLikeMcp(exchange: Exchange): boolean {
  return [401, 403, 429].includes(exchange.status) || rpcOf(exchange) !== null;
}

const more = 'a larger --time-limit';

async function verdictOn(probe: Probe, context: CheckContext): Promise<Verdict> {
  const before = probe.after?.find((id) => context.verdict(id)?.verdict === 'fail');
  if (before !== undefined) return notTested(`${before} failed, so this would show nothing`);
  const { asked, answered } = context.door;
  const ended = () => (context.door.over === null ? null : notTested(context.door.over, more));
  try {
    // What was cut short may look like a pass or a failure, and is neither.
    const verdict = ended() ?? (await probe.run(context));
    const cut = ended();
    if (cut !== null) return cut;
    // A single reset may be a refusal; silence throughout is not.
    const silent = context.door.asked > asked && context.door.answered === answered;
    return verdict.verdict === 'pass' && silent ? notTested('the server answered nothing of it') : verdict;
  } catch (error) {
    return notTested(`the question could not be asked: ${messageOf(error)}`);
  }
}

const mostEvidence = 4;

function rowOf(probe: Probe, verdict: Verdict, { secrets }: Door): Row {
  const clean = (text: string): string => neutralLines(redact(text, secrets));
  const evidence = verdict.evidence.slice(0, mostEvidence).map((one) => evidenceOf(one, secrets));
  if (verdict.verdict === 'pass')
    return { probe, evidence, verdict: { ...verdict, observed: clean(verdict.observed) } };
  if (verdict.verdict === 'not-tested')
    return { probe, evidence, verdict: { ...verdict, because: clean(verdict.because) } };
  const problems = verdict.problems.map((one) => ({ ...one, text: clean(one.text) }));
  return { probe, evidence, verdict: { ...verdict, problems } };
}
