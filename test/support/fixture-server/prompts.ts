import { completable, type McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { onePixelPng } from './media.ts';

const user = <T extends object>(content: T) => ({ role: 'user' as const, content });

export function registerPrompts(server: McpServer): void {
  server.registerPrompt('test_simple_prompt', { description: 'No arguments' }, () => ({
    messages: [user({ type: 'text' as const, text: 'This is a simple prompt for testing.' })],
  }));
  const word = completable(z.string(), (typed) =>
    ['paris', 'park', 'party'].filter((candidate) => candidate.startsWith(typed)),
  );
  server.registerPrompt(
    'test_prompt_with_arguments',
    { description: 'Two arguments', argsSchema: z.object({ arg1: word, arg2: z.string() }) },
    ({ arg1, arg2 }) => ({
      messages: [
        user({ type: 'text' as const, text: `Prompt with arguments: arg1='${arg1}', arg2='${arg2}'` }),
      ],
    }),
  );
  server.registerPrompt(
    'test_prompt_with_embedded_resource',
    { description: 'Embeds a resource', argsSchema: z.object({ resourceUri: z.string() }) },
    ({ resourceUri: uri }) => ({
      messages: [
        user({
          type: 'resource' as const,
          resource: { uri, mimeType: 'text/plain', text: 'Embedded resource content for testing.' },
        }),
        user({ type: 'text' as const, text: 'Please process the embedded resource above.' }),
      ],
    }),
  );
  server.registerPrompt('test_prompt_with_image', { description: 'Holds an image' }, () => ({
    messages: [
      user({ type: 'image' as const, data: onePixelPng, mimeType: 'image/png' }),
      user({ type: 'text' as const, text: 'Please analyze the image above.' }),
    ],
  }));
}
