import {
  acceptedContent,
  inputRequired,
  inputResponse,
  type McpServer,
  type RequestStateCodec,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { text } from './content-tools.ts';

type StateCodec = RequestStateCodec<{ step: string; name?: string }>;

const ask = (message: string, requestedSchema: z.ZodObject) =>
  inputRequired.elicit({ message, requestedSchema });

const withName = z.object({ name: z.string() });
const withColor = z.object({ color: z.string() });
const withOk = z.object({ ok: z.boolean() });
const withContext = z.object({ context: z.string() });

const sample = (prompt: string, maxTokens: number) =>
  inputRequired.createMessage({
    messages: [{ role: 'user', content: { type: 'text', text: prompt } }],
    maxTokens,
  });

/** Tools that answer `input_required` first (2026-07-28, basic/patterns/mrtr). */
export function registerInputRequiredTools(server: McpServer, codec: StateCodec): void {
  registerSingleRoundTools(server);
  registerStatefulTools(server, codec);
  registerMultiRoundTool(server, codec);
  registerCapabilityTools(server);
}

function registerSingleRoundTools(server: McpServer): void {
  const inputSchema = z.object({});
  server.registerTool(
    'test_input_required_result_elicitation',
    { description: 'Asks for a name', inputSchema },
    (_args, { mcpReq }) => {
      const answer = acceptedContent(mcpReq.inputResponses, 'user_name', withName);
      if (answer) return text(`Hello, ${answer.name}!`);
      return inputRequired({ inputRequests: { user_name: ask('What is your name?', withName) } });
    },
  );
  server.registerTool(
    'test_input_required_result_sampling',
    { description: "Asks the client's model", inputSchema },
    (_args, { mcpReq }) => {
      const answer = inputResponse(mcpReq.inputResponses, 'capital_question');
      if (answer.kind === 'sampling') return text(`The model said: ${JSON.stringify(answer.result.content)}`);
      return inputRequired({
        inputRequests: { capital_question: sample('What is the capital of France?', 100) },
      });
    },
  );
  server.registerTool(
    'test_input_required_result_list_roots',
    { description: 'Asks for roots', inputSchema },
    (_args, { mcpReq }) => {
      const answer = inputResponse(mcpReq.inputResponses, 'client_roots');
      if (answer.kind === 'roots') return text(`Roots: ${answer.roots.map((root) => root.uri).join(', ')}`);
      return inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
    },
  );
}

function registerStatefulTools(server: McpServer, codec: StateCodec): void {
  const inputSchema = z.object({});
  for (const name of [
    'test_input_required_result_request_state',
    'test_input_required_result_tampered_state',
  ])
    server.registerTool(
      name,
      { description: 'Asks for confirmation, with signed state', inputSchema },
      async (_args, { mcpReq }) => {
        const answer = acceptedContent(mcpReq.inputResponses, 'confirm', withOk);
        if (answer && mcpReq.requestState<{ step: string }>()?.step === name) return text('state-ok');
        return inputRequired({
          inputRequests: { confirm: ask('Please confirm', withOk) },
          requestState: await codec.mint({ step: name }),
        });
      },
    );
  server.registerTool(
    'test_input_required_result_multiple_inputs',
    { description: 'Asks for three inputs at once', inputSchema },
    async (_args, { mcpReq }) => {
      const kinds = ['user_name', 'greeting', 'client_roots'].map(
        (key) => inputResponse(mcpReq.inputResponses, key).kind,
      );
      if (kinds.join() === 'elicit,sampling,roots') return text('All three inputs arrived');
      return inputRequired({
        inputRequests: {
          user_name: ask('What is your name?', withName),
          greeting: sample('Generate a greeting', 50),
          client_roots: inputRequired.listRoots(),
        },
        requestState: await codec.mint({ step: 'multiple' }),
      });
    },
  );
}

function registerMultiRoundTool(server: McpServer, codec: StateCodec): void {
  server.registerTool(
    'test_input_required_result_multi_round',
    { description: 'Asks twice', inputSchema: z.object({}) },
    async (_args, { mcpReq }) => {
      const state = mcpReq.requestState<{ step: string; name?: string }>();
      const color = acceptedContent(mcpReq.inputResponses, 'step2', withColor);
      if (state?.step === 'two' && color) return text(`${state.name} likes ${color.color}`);
      const named = acceptedContent(mcpReq.inputResponses, 'step1', withName);
      if (state?.step === 'one' && named)
        return inputRequired({
          inputRequests: { step2: ask('Step 2: What is your favorite color?', withColor) },
          requestState: await codec.mint({ step: 'two', name: named.name }),
        });
      return inputRequired({
        inputRequests: { step1: ask('Step 1: What is your name?', withName) },
        requestState: await codec.mint({ step: 'one' }),
      });
    },
  );
}

function registerCapabilityTools(server: McpServer): void {
  const inputSchema = z.object({});
  server.registerTool(
    'test_missing_capability',
    { description: 'Needs a client that can sample; the SDK refuses any other (-32021)', inputSchema },
    (_args, { mcpReq }) =>
      inputResponse(mcpReq.inputResponses, 'greeting').kind === 'sampling'
        ? text('The client can sample')
        : inputRequired({ inputRequests: { greeting: sample('Generate a greeting', 50) } }),
  );
  server.registerTool(
    'test_streaming_elicitation',
    { description: 'Asks on its own stream', inputSchema },
    () => inputRequired({ inputRequests: { user_name: ask('What is your name?', withName) } }),
  );
  server.registerTool(
    'test_input_required_result_capabilities',
    { description: 'Asks only what the client can answer', inputSchema },
    (_args, context) => {
      const capabilities = declared(context);
      return inputRequired({
        inputRequests: {
          ...(capabilities['sampling'] ? { greeting: sample('Generate a greeting', 50) } : {}),
          ...(capabilities['elicitation'] ? { user_name: ask('What is your name?', withName) } : {}),
        },
      });
    },
  );
}

/** The capabilities this request declared in its `_meta` (2026-07-28, basic/index). */
function declared(context: ServerContext): Record<string, unknown> {
  const envelope = context.mcpReq.envelope as Record<string, unknown> | undefined;
  return (envelope?.['io.modelcontextprotocol/clientCapabilities'] ?? {}) as Record<string, unknown>;
}

/** The prompt that answers `input_required` first. */
export function registerInputRequiredPrompt(server: McpServer): void {
  server.registerPrompt(
    'test_input_required_result_prompt',
    { description: 'Asks for its context' },
    ({ mcpReq }) => {
      const answer = acceptedContent(mcpReq.inputResponses, 'user_context', withContext);
      if (!answer)
        return inputRequired({
          inputRequests: { user_context: ask('What context should the prompt use?', withContext) },
        });
      return { messages: [{ role: 'user', content: { type: 'text', text: `Context: ${answer.context}` } }] };
    },
  );
}
