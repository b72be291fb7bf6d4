import { setTimeout as sleep } from 'node:timers/promises';
import { fromJsonSchema, type McpServer, type ServerContext } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { onePixelPng, silentWav } from './media.ts';

export function text(value: string) {
  return { content: [{ type: 'text' as const, text: value }] };
}

/** Tools that answer each kind of content, named as the conformance scenarios call them. */
export function registerContentTools(server: McpServer): void {
  server.registerTool('test_simple_text', { description: 'Answers one text block' }, () =>
    text('This is a simple text response for testing.'),
  );
  server.registerTool('test_image_content', { description: 'Answers an image' }, () => ({
    content: [{ type: 'image', data: onePixelPng, mimeType: 'image/png' }],
  }));
  server.registerTool('test_audio_content', { description: 'Answers a sound' }, () => ({
    content: [{ type: 'audio', data: silentWav, mimeType: 'audio/wav' }],
  }));
  server.registerTool('test_error_handling', { description: 'Always fails' }, () => {
    throw new Error('This tool intentionally returns an error for testing');
  });
  registerResourceTools(server);
  registerStreamingTools(server);
  registerSchemaTool(server);
}

function registerResourceTools(server: McpServer): void {
  server.registerTool('test_embedded_resource', { description: 'Answers an embedded resource' }, () => ({
    content: [
      {
        type: 'resource',
        resource: {
          uri: 'test://embedded-resource',
          mimeType: 'text/plain',
          text: 'This is an embedded resource content.',
        },
      },
    ],
  }));
  server.registerTool('test_multiple_content_types', { description: 'Answers three kinds at once' }, () => ({
    content: [
      { type: 'text', text: 'Multiple content types test:' },
      { type: 'image', data: onePixelPng, mimeType: 'image/png' },
      {
        type: 'resource',
        resource: {
          uri: 'test://mixed-content-resource',
          mimeType: 'application/json',
          text: JSON.stringify({ test: 'data', value: 123 }),
        },
      },
    ],
  }));
}

function registerStreamingTools(server: McpServer): void {
  const noArguments = z.object({});
  server.registerTool(
    'test_tool_with_logging',
    { description: 'Logs three times while it runs', inputSchema: noArguments },
    async (_args, context) => {
      for (const line of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
        await context.mcpReq.log('info', line);
        await sleep(50);
      }
      return text('Tool with logging executed successfully');
    },
  );
  server.registerTool(
    'test_logging_tool',
    { description: 'Logs once, if the caller asked for logs', inputSchema: noArguments },
    async (_args, context) => {
      await context.mcpReq.log('info', 'one line');
      return text('logged');
    },
  );
  server.registerTool(
    'test_tool_with_progress',
    { description: 'Reports progress 0, 50, 100', inputSchema: noArguments },
    async (_args, context) => {
      for (const progress of [0, 50, 100]) {
        await reportProgress(context, { progress, total: 100 });
        await sleep(50);
      }
      return text('Tool with progress executed successfully');
    },
  );
  server.registerTool(
    'test_reconnection',
    { description: 'Closes its own stream before it answers', inputSchema: noArguments },
    async (_args, context) => {
      context.http?.closeSSE?.();
      await sleep(100);
      return text('Reconnection test completed successfully');
    },
  );
}

/** Sends `notifications/progress` on the caller's stream, when the caller gave a token. */
export async function reportProgress(
  context: ServerContext,
  step: { progress: number; total: number; message?: string },
): Promise<void> {
  const progressToken = context.mcpReq._meta?.progressToken;
  if (progressToken === undefined) return;
  await context.mcpReq.notify({ method: 'notifications/progress', params: { progressToken, ...step } });
}

/** A schema with the keywords a careless proxy or SDK strips. */
const fullSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object' as const,
  $defs: {
    address: {
      $anchor: 'addressDef',
      type: 'object',
      properties: { street: { type: 'string' }, city: { type: 'string' } },
    },
  },
  properties: {
    name: { type: 'string' },
    address: { $ref: '#/$defs/address' },
    contactMethod: { type: 'string', enum: ['phone', 'email'] },
    phone: { type: 'string' },
    email: { type: 'string' },
  },
  allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
  if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
  // biome-ignore lint/suspicious/noThenProperty: the keyword of JSON Schema
  then: { required: ['phone'] },
  else: { required: ['email'] },
  additionalProperties: false,
};

function registerSchemaTool(server: McpServer): void {
  server.registerTool(
    'json_schema_2020_12_tool',
    { description: 'Has a schema of many keywords', inputSchema: fromJsonSchema(fullSchema) },
    () => text('valid'),
  );
}
