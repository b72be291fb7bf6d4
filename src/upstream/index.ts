export type {
  AnswerHead,
  AnswerSink,
  Exchange,
  Upstream,
  UpstreamFailure,
  UpstreamRequest,
  UpstreamState,
} from './upstream.ts';
