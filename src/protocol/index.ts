export { isBeyondReason, parseJson, parseUpstreamJson } from './json.ts';
export { parseJsonPointer } from './json-pointer.ts';
export {
  editMeta,
  editObject,
  isObjectText,
  type Member,
  membersOf,
  type ObjectEdit,
  rawMember,
  singleLine,
} from './json-text.ts';
export type {
  Era,
  Json,
  JsonObject,
  Message,
  MessageId,
  NotificationMessage,
  RequestMessage,
  ResponseMessage,
} from './message.ts';
export {
  checkMirroredHeaders,
  checkMirroredParameters,
  decodeHeaderValue,
  isNamed,
  type MirroredHeaders,
  type MirroredParameter,
} from './mirrored-headers.ts';
export { isObject, parseMessage } from './parse.ts';
export {
  type Dialect,
  dialectOf,
  legacyRevisions,
  metaKeys,
  modernRevisions,
} from './revisions.ts';
export { EventSplitter, eventData, withEventData, withEventIds } from './sse.ts';
