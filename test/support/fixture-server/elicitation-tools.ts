import type {
  CreateMessageResult,
  CreateMessageResultWithTools,
  McpServer,
  ServerContext,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { text } from './content-tools.ts';

/** Tools that ask the client on the wire; only 2025-era connections have such requests. */
export function registerElicitationTools(server: McpServer): void {
  server.registerTool(
    'test_sampling',
    { description: "Asks the client's model", inputSchema: z.object({ prompt: z.string() }) },
    async ({ prompt }, context) => {
      const answer = await context.mcpReq.send({
        method: 'sampling/createMessage',
        params: sampling(prompt),
      });
      return text(`LLM response: ${said(answer)}`);
    },
  );
  server.registerTool(
    'sample_on_session_stream',
    { description: 'Asks on the GET stream, not its own', inputSchema: z.object({ prompt: z.string() }) },
    async ({ prompt }, context) =>
      text(`LLM response: ${said(await context.mcpReq.requestSampling(sampling(prompt)))}`),
  );
  server.registerTool(
    'test_elicitation',
    { description: "Asks the client's user", inputSchema: z.object({ message: z.string() }) },
    async ({ message }, context) => {
      const properties = {
        username: { type: 'string' as const, description: "User's response" },
        email: { type: 'string' as const, description: "User's email address" },
      };
      const answer = await elicit(context, message, { properties, required: ['username', 'email'] });
      return text(`User response: ${answer}`);
    },
  );
  server.registerTool(
    'test_elicitation_sep1034_defaults',
    { description: 'Asks with defaults of every primitive type', inputSchema: z.object({}) },
    async (_args, context) =>
      text(`Elicitation completed: ${await elicit(context, 'Please review the defaults', defaultsForm)}`),
  );
  server.registerTool(
    'test_elicitation_sep1330_enums',
    { description: 'Asks with every kind of choice', inputSchema: z.object({}) },
    async (_args, context) =>
      text(`Elicitation completed: ${await elicit(context, 'Please choose', choicesForm)}`),
  );
}

const sampling = (prompt: string) => ({
  messages: [{ role: 'user' as const, content: { type: 'text' as const, text: prompt } }],
  maxTokens: 100,
});

const said = ({ content }: CreateMessageResult | CreateMessageResultWithTools): string =>
  'text' in content ? content.text : JSON.stringify(content);

interface Form {
  readonly properties: Record<string, object>;
  readonly required?: string[];
}

async function elicit(context: ServerContext, message: string, form: Form): Promise<string> {
  const answer = await context.mcpReq.send({
    method: 'elicitation/create',
    params: { message, requestedSchema: { type: 'object', ...form } },
  });
  return `action=${answer.action}, content=${JSON.stringify(answer.content ?? {})}`;
}

const defaultsForm: Form = {
  properties: {
    name: { type: 'string', description: 'User name', default: 'John Doe' },
    age: { type: 'integer', description: 'User age', default: 30 },
    score: { type: 'number', description: 'User score', default: 95.5 },
    status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
    verified: { type: 'boolean', description: 'Verification status', default: true },
  },
};

const titled = (noun: string) =>
  ['First', 'Second', 'Third'].map((ordinal, at) => ({
    const: `value${at + 1}`,
    title: `${ordinal} ${noun}`,
  }));

const choicesForm: Form = {
  properties: {
    untitledSingle: { type: 'string', enum: ['option1', 'option2', 'option3'] },
    titledSingle: { type: 'string', oneOf: titled('Option') },
    legacyEnum: {
      type: 'string',
      enum: ['opt1', 'opt2', 'opt3'],
      enumNames: ['Option One', 'Option Two', 'Option Three'],
    },
    untitledMulti: { type: 'array', items: { type: 'string', enum: ['option1', 'option2', 'option3'] } },
    titledMulti: { type: 'array', items: { anyOf: titled('Choice') } },
  },
};
