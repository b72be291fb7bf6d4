import { asItLooks } from './characters.ts';
import type { FindingKind } from './finding.ts';

/** A way of telling a model what to do, in a place that is for saying what a tool does. */
interface Cue {
  readonly kind: Extract<FindingKind, 'instruction' | 'exfiltration' | 'reference'>;
  /** No honest definition has it: enough to keep a tool back that nobody has seen before. */
  readonly plain: boolean;
  readonly pattern: RegExp;
}

const sensitive =
  'conversation|chat history|message history|system prompt|credentials?|api[ _-]?keys?|passwords?|secrets?|access tokens?|private keys?|ssh keys?|environment variables?|session cookies?';

/** Each pattern is linear: bounded gaps, no nested repetition. Matched against lower-case text with single spaces. */
const cues: readonly Cue[] = [
  {
    kind: 'instruction',
    plain: true,
    pattern: /<\/?(?:important|system|instructions?|critical|hidden|secret|admin)\b[^>]{0,40}>/g,
  },
  {
    kind: 'instruction',
    plain: true,
    pattern:
      /\b(?:ignore|disregard|forget|override|bypass)\b[^.]{0,40}\b(?:previous|prior|above|earlier|all|any|other|your|system|safety)\b[^.]{0,30}\b(?:instructions?|prompts?|rules?|messages?|guidelines?|directions?|polic(?:y|ies)|restrictions?)\b/g,
  },
  {
    kind: 'instruction',
    plain: true,
    pattern:
      /\b(?:do not|don't|don’t|never|without)\s(?:ever\s)?(?:tell|telling|inform|informing|mention|mentioning|reveal|revealing|notify|notifying|alert|alerting|disclose|disclosing)\b[^.]{0,40}\b(?:user|human|anyone|operator|person|this)\b/g,
  },
  {
    kind: 'instruction',
    plain: true,
    pattern:
      /\byou are now\b|\bnew (?:system )?instructions?:|\bsystem ?(?:prompt|message)?:\s|\[\/?(?:inst|system)\]|<\|[a-z_]{2,20}\|>/g,
  },
  {
    kind: 'instruction',
    plain: false,
    pattern:
      /\b(?:before|prior to|instead of|after|whenever you|when)\s(?:using|calling|invoking|running|use|call|invoke|run)\s(?:any|this|the|other|another|it)\b[^.]{0,80}\b(?:read|send|call|include|pass|fetch|open|list|use|run|first)\b/g,
  },
  {
    kind: 'instruction',
    plain: false,
    pattern:
      /\b(?:you|the (?:assistant|model|agent|ai)) (?:must|should|shall|have to|need to|are required to|is required to)\b/g,
  },
  {
    kind: 'instruction',
    plain: false,
    pattern:
      /\b(?:always|must|mandatory to|required to) (?:first )?(?:call|use|invoke|run|prefer|include|send|read|pass)\b/g,
  },
  {
    kind: 'instruction',
    plain: false,
    pattern: /\b(?:silently|secretly|covertly|in the background|behind the scenes)\b/g,
  },
  { kind: 'instruction', plain: false, pattern: /[a-z0-9+/]{120,}={0,2}/g },
  {
    kind: 'exfiltration',
    plain: false,
    pattern: new RegExp(
      `\\b(?:send|forward|post|upload|bcc|exfiltrate|transmit|copy|leak|include|pass|attach|provide|append)\\b[^.]{0,60}\\b(?:${sensitive})\\b`,
      'g',
    ),
  },
  {
    kind: 'exfiltration',
    plain: false,
    pattern: new RegExp(`\\b(?:contents?|value|copy|full) of\\b[^.]{0,40}\\b(?:${sensitive})\\b`, 'g'),
  },
  { kind: 'exfiltration', plain: false, pattern: /\bbcc\b|\bexfiltrat\w*/g },
  { kind: 'exfiltration', plain: true, pattern: /!\[[^\]]{0,80}\]\(\s?https?:/g },
  {
    kind: 'reference',
    plain: false,
    pattern:
      /~\/\.[\w./-]{1,40}|\bid_(?:rsa|ed25519|ecdsa)\b|\/etc\/(?:passwd|shadow)\b|\.aws\/|\.ssh\/|\.env\b|\bmcp\.json\b|\.kube\/config/g,
  },
  {
    kind: 'reference',
    plain: false,
    pattern: /\b(?:https?|wss?|ftp|file|data|javascript):[^\s"'<>)]{1,200}/g,
  },
  { kind: 'reference', plain: false, pattern: /[\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{1,64}/g },
];

export interface CueMatch {
  readonly kind: Cue['kind'];
  readonly plain: boolean;
  /** What was found, as it looks. */
  readonly text: string;
}

const maxMatches = 64;

/** @param text attacker-controlled; look-alikes and hidden characters do not help it past the patterns */
export function cuesIn(text: string): CueMatch[] {
  const looks = asItLooks(text).toLowerCase().replace(/\s+/g, ' ');
  const found: CueMatch[] = [];
  for (const { kind, plain, pattern } of cues) {
    for (const [match] of looks.matchAll(pattern)) {
      if (found.length < maxMatches) found.push({ kind, plain, text: match });
    }
  }
  return found;
}

/** Parameters that ask for what the model knows rather than for what the tool needs. */
const greedy =
  /^(?:(?:full|entire|chat|user|conversation|message|previous|all|system|model|agent|ai|extra|additional|internal|private|secret|hidden)*(?:context|conversation|history|messages|prompt|reasoning|thoughts?|memory|sidenotes?|notes|scratchpad|chainofthought)|(?:api|access|auth|private|secret|ssh|aws|session)*(?:key|token|password|passwd|secret|credentials?|cookies?)|env|environment|bcc|cc|webhook|callback|(?:webhook|callback|exfil\w*)(?:url|uri))$/;

/** @param name attacker-controlled */
export function isGreedy(name: string): boolean {
  return greedy.test(
    asItLooks(name)
      .toLowerCase()
      .replace(/[^a-z]/g, '')
      .slice(0, 64),
  );
}
