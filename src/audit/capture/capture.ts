import { isSecretName } from '../../base/index.ts';
import type { ToolCapture } from '../../policy/index.ts';
import type { ArgumentsHasher, HashedCall, ValueHasher } from '../arguments-hash.ts';
import type { CallDetails } from '../trail.ts';
import { longest, shownText } from '../values.ts';
import { type ExcerptOptions, excerptOf } from './excerpt.ts';
import { compileFieldRules, type RuleNode } from './field-rules.ts';
import type { Seal } from './sealed.ts';

/** A call to a tool, and what of its arguments is to be kept. */
export interface CapturedCall extends HashedCall {
  readonly requestId: string;
  readonly server: string;
  readonly capture: ToolCapture;
}

/** The part of a call's records that speaks of its arguments. */
export interface Captured extends Pick<CallDetails, 'capture' | 'arguments' | 'redactions'> {
  readonly arguments_hash: string | null;
}

export type Capture = (call: CapturedCall) => Captured | Promise<Captured>;

export interface CaptureParts {
  readonly hashArguments: ArgumentsHasher;
  /** Of one value, keyed, the same wherever it stands. */
  readonly hashValue: ValueHasher;
  /** Null where no configuration asks for it. */
  readonly seal: Seal | null;
}

/** Bounds the work and the record; the hash covers all of the arguments whatever is cut here. */
const mostEncrypted = 40_000;
const mostRedacted = 10_000;

/** @throws never for `none` and `hash`; rejects for `encrypted` where it cannot be encrypted, and then nothing may be kept instead */
export function createCapture({ hashArguments, hashValue, seal }: CaptureParts): Capture {
  const compiled = new WeakMap<ToolCapture, RuleNode>();
  const rulesOf = (capture: ToolCapture): RuleNode => {
    const known = compiled.get(capture) ?? compileFieldRules(capture.fields);
    compiled.set(capture, known);
    return known;
  };
  const excerpt = (call: CapturedCall, rest: Omit<ExcerptOptions, 'rules' | 'hash'>) =>
    excerptOf(call.arguments, {
      ...rest,
      rules: rulesOf(call.capture),
      hash: (value) => hashValue(value, call.organization),
    });
  const encrypted = async (call: CapturedCall): Promise<Captured> => {
    if (!seal) throw new Error('there is no key to encrypt the arguments to');
    const asItIs = { others: 'keep', shown: (text: string) => text, isSecret: () => false } as const;
    const { text, redactions, cut } = excerpt(call, { ...asItIs, most: mostEncrypted });
    const content = `{"tool":${JSON.stringify(call.tool)},"arguments":${text},"redacted":${redactions > 0},"cut":${cut}}`;
    const sealed = await seal(content, belongingOf(call));
    return { capture: 'encrypted', arguments: sealed, arguments_hash: hashArguments(call), redactions };
  };
  return (call) => {
    const { as } = call.capture;
    if (as === 'none') return { capture: as, arguments_hash: null };
    if (as === 'hash') return { capture: as, arguments_hash: hashArguments(call) };
    if (as === 'encrypted') return encrypted(call);
    const clean = { others: 'unnamed', shown: shownText, isSecret: isSecretName } as const;
    const { text, redactions } = excerpt(call, { ...clean, most: mostRedacted });
    return { capture: as, arguments: text, arguments_hash: hashArguments(call), redactions };
  };
}

/** As the record names them: it is compared with the record when it is opened. */
export function belongingOf({
  requestId,
  server,
  tool,
}: Pick<CapturedCall, 'requestId' | 'server' | 'tool'>) {
  return { request_id: requestId, server: shownText(server), tool: shownText(tool, longest.tool_name) };
}
