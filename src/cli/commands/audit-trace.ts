import { OperationError } from '../../base/index.ts';
import { openStore } from '../audit-store.ts';
import { type CommandBody, exitCodes, UsageError } from '../command.ts';
import { dataOptions } from '../data-directory.ts';

/** `portcullis audit trace`. */
export const auditTrace: CommandBody = {
  usage: ['REQUEST-ID [--data DIR]'],
  words: ['REQUEST-ID'],
  options: dataOptions,
  notes: 'The id is the X-Request-Id of the answer, and `request_id` in the log.',
  async run(given, context) {
    const [requestId] = given.words;
    if (requestId === undefined)
      throw new UsageError('the request id is missing', 'write audit trace REQUEST-ID');
    const source = await openStore(given, context);
    const { storyOf, traceOf } = await import('../../audit/index.ts');
    try {
      const trace = await traceOf(source, requestId);
      if (!trace)
        throw new OperationError('no call with this id is in the audit log', { hint: 'see audit query' });
      if (context.json) context.output.json(trace);
      else for (const text of storyOf(trace)) context.output.line(text);
    } finally {
      await source.close();
    }
    return exitCodes.ok;
  },
};
