import { type Refusal, refuse } from '../base/index.ts';
import type { Era, Json, JsonObject, Message } from './message.ts';
import { declaredVersion } from './revisions.ts';

/**
 * Headers that repeat parts of the body (MCP 2026-07-28, streamable-http "Request Metadata"). They are compared with the body
 * and never decide anything. In the modern era the required ones must be there; in any era one that is there must be true,
 * because something between us and the upstream may believe it.
 */
export interface MirroredHeaders {
  /** `Mcp-Method` */
  readonly method: string | undefined;
  /** `Mcp-Name`, as sent */
  readonly name: string | undefined;
  /** `MCP-Protocol-Version` */
  readonly version: string | undefined;
}

/** Where the value of `Mcp-Name` stands in the body. */
const namedBy: Readonly<Record<string, string>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
};

/** @returns null if headers and body agree */
export function checkMirroredHeaders(headers: MirroredHeaders, message: Message, era: Era): Refusal | null {
  if (message.kind === 'response') return null;
  const required = era === 'modern' && message.kind === 'request';
  return (
    checkVersion(headers, message.params, required) ??
    checkEqual('Mcp-Method', headers.method, message.method, required) ??
    checkName(headers, message, required)
  );
}

function checkVersion(headers: MirroredHeaders, params: JsonObject, required: boolean): Refusal | null {
  if (!required) return null;
  const declared = declaredVersion(params);
  if (declared === undefined) {
    return refuse('malformed_message', 'params._meta lacks io.modelcontextprotocol/protocolVersion', {
      data: { missing: 'io.modelcontextprotocol/protocolVersion' },
    });
  }
  return checkEqual('MCP-Protocol-Version', headers.version, declared, true);
}

function checkName(
  headers: MirroredHeaders,
  message: Exclude<Message, { kind: 'response' }>,
  required: boolean,
): Refusal | null {
  const field = Object.hasOwn(namedBy, message.method) ? namedBy[message.method] : undefined;
  if (field === undefined) {
    return null; // the revision gives Mcp-Name no meaning here: nothing to compare, and it is not forwarded
  }
  const value = message.params[field];
  // A missing or odd name is the policy's business (no such tool); here only disagreement counts.
  if (typeof value !== 'string') return null;
  const decoded = headers.name === undefined ? undefined : decodeHeaderValue(headers.name);
  if (decoded === null) return mismatch('Mcp-Name');
  return checkEqual('Mcp-Name', decoded, value, required);
}

function checkEqual(
  name: string,
  header: string | undefined,
  body: string,
  required: boolean,
): Refusal | null {
  if (header === undefined) return required ? missing(name) : null;
  return header === body ? null : mismatch(name);
}

/** True if a method's `Mcp-Name` has been compared and may travel on. */
export function isNamed(method: string): boolean {
  return Object.hasOwn(namedBy, method);
}

/** A tool parameter that its schema mirrors into `Mcp-Param-{header}` (`x-mcp-header`). */
export interface MirroredParameter {
  /** Name portion, lower case. */
  readonly header: string;
  readonly path: readonly string[];
  readonly type: 'string' | 'integer' | 'boolean';
}

/**
 * Compares `Mcp-Param-*` headers with the arguments. Headers that no annotation names are ignored, as the spec asks of
 * intermediaries.
 *
 * @param header reads a header by its lower-case name; attacker-controlled
 */
export function checkMirroredParameters(
  parameters: readonly MirroredParameter[],
  header: (name: string) => string | undefined,
  args: JsonObject,
): Refusal | null {
  for (const parameter of parameters) {
    const name = `mcp-param-${parameter.header}`;
    const sent = header(name);
    const value = valueAt(args, parameter.path);
    if (value === undefined || value === null) {
      if (sent !== undefined) return mismatch(name);
      continue;
    }
    if (sent === undefined) return missing(name);
    const decoded = decodeHeaderValue(sent);
    if (decoded === null || !sameValue(decoded, value, parameter.type)) return mismatch(name);
  }
  return null;
}

function sameValue(sent: string, value: Json, type: MirroredParameter['type']): boolean {
  // Numerically, not as strings: 42.0 and 42 are equal (spec, "Server Validation").
  if (type === 'integer' && typeof value === 'number')
    return /^-?\d+(\.0+)?$/.test(sent) && Number(sent) === value;
  return (
    (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number') &&
    sent === String(value)
  );
}

function valueAt(args: JsonObject, path: readonly string[]): Json | undefined {
  let value: Json | undefined = args;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    value = Object.hasOwn(value, step) ? value[step] : undefined;
  }
  return value;
}

const sentinel = /^=\?base64\?([A-Za-z0-9+/]*={0,2})\?=$/;

/** Undoes the Base64 sentinel form (spec, "Value Encoding"). @returns null if the value cannot be what a client may send */
export function decodeHeaderValue(value: string): string | null {
  if (!/^[\t\x20-\x7e]*$/.test(value)) return null;
  const encoded = sentinel.exec(value)?.[1];
  if (encoded === undefined) return value;
  const bytes = Buffer.from(encoded, 'base64');
  if (bytes.toString('base64') !== encoded) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

function missing(name: string): Refusal {
  return refuse('header_mismatch', `Header mismatch: the ${name} header is missing`);
}

/** The values stay out of the message: a reply never echoes what was sent. */
function mismatch(name: string): Refusal {
  return refuse('header_mismatch', `Header mismatch: the ${name} header does not match the body`);
}
