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
