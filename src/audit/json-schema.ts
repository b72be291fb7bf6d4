import { alwaysThere, callFields, eventFields, type Kind } from './fields.ts';
import { schemaVersion } from './record.ts';

/** JSON Schema of an entry's canonical text. Members that say nothing are absent. */
export function auditJsonSchema(): object {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Portcullis audit entry',
    description: `Version ${schemaVersion}. docs/audit.md says what each member means.`,
    oneOf: [objectOf(callFields, alwaysThere.call), objectOf(eventFields, alwaysThere.event)],
  };
}

function objectOf(fields: Readonly<Record<string, Kind>>, required: readonly string[]): object {
  const names = Object.keys(fields).sort();
  const properties = Object.fromEntries(names.map((name) => [name, fields[name]?.schema]));
  return { type: 'object', properties, required, additionalProperties: false };
}
