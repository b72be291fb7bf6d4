// The JSON encoding of OTLP 1: lowerCamelCase names, 64-bit integers as decimal strings, trace and span ids in hex.

export type AnyValue =
  | { readonly stringValue: string }
  | { readonly boolValue: boolean }
  | { readonly intValue: string }
  | { readonly doubleValue: number };

export interface KeyValue {
  readonly key: string;
  readonly value: AnyValue;
}

export function text(key: string, value: string): KeyValue {
  return { key, value: { stringValue: value } };
}

export function integer(key: string, value: number): KeyValue {
  return { key, value: { intValue: String(value) } };
}

/** No attribute at all for what is absent. */
export function given(key: string, value: string | null | undefined): KeyValue[] {
  return value ? [text(key, value)] : [];
}

/** @param epochMs may have a fraction. As text from the start: a double holds no nanoseconds of today */
export function nanoseconds(epochMs: number): string {
  if (!Number.isFinite(epochMs) || epochMs < 0) return '0';
  const whole = Math.floor(epochMs);
  const rest = Math.floor((epochMs - whole) * 1e6);
  return `${whole}${String(rest).padStart(6, '0')}`;
}
