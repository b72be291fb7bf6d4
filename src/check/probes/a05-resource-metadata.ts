import { isDeepStrictEqual } from 'node:util';
import { type Discovery, discover, type Sought } from '../discovery/discovery.ts';
import { headerOf } from '../exchange.ts';
import { type Probe, type Problem, verdictOf } from '../probe.ts';

export const resourceMetadata: Probe = {
  id: 'A05',
  title: 'Resource metadata is published',
  severity: 'high',
  mode: 'none',
  reference: 'RFC 9728 section 3; MCP 2026-07-28 authorization server discovery',
  guideItems: [2],
  why: 'Clients look in one of two places, and each in its own. What they cannot find they cannot sign in to.',
  remedy: {
    words:
      'Serve the same JSON without authentication at the well-known path with the endpoint’s path behind it and at the bare one, readable from any page.',
    express: 'app.use(mcpAuthMetadataRouter({ oauthMetadata, resourceServerUrl })).',
    fastmcp: 'RemoteAuthProvider serves it; set base_url to the public URL.',
    sdk: 'mcpAuthMetadataRouter, with the exact public URL of the endpoint as resourceServerUrl.',
    portcullis: 'Both are served, alike, from publicUrl and the server’s path.',
  },
  async run(context) {
    const found = await context.once(discover);
    const { atPath, atRoot } = found;
    const evidence = [atPath.exchange, ...(atRoot === atPath ? [] : [atRoot.exchange])];
    return verdictOf(problemsOf(found), `${atPath.url} and at the root`, evidence);
  },
};

function problemsOf({ atPath, atRoot, named }: Discovery): Problem[] {
  const at = [atPath, atRoot].filter((one) => one.document !== null);
  if (at.length === 0 && !named?.document)
    return [{ text: `no JSON document at ${atPath.url} nor at ${atRoot.url}` }];
  const problems: Problem[] = [];
  const add = (severity: 'low' | 'medium' | 'high', text: string) => problems.push({ severity, text });
  for (const one of [atPath, atRoot])
    if (one.document === null) add('low', `no document at ${one.url}: clients that look there find none`);
  if (named && named.document === null)
    add('high', 'the address in resource_metadata of the 401 has no document');
  const documents = [...at, ...(named?.document ? [named] : [])];
  if (!documents.every((one) => isDeepStrictEqual(one.document, documents[0]?.document)))
    add('medium', 'the documents at the path, at the root and in the challenge are not the same');
  for (const one of new Set(documents)) problems.push(...formOf(one));
  return problems.filter((one, at) => problems.findIndex(({ text }) => text === one.text) === at);
}

function formOf({ exchange }: Sought): Problem[] {
  const type = headerOf(exchange, 'content-type') ?? '';
  const json = /^application\/([\w.-]+\+)?json\b/i.test(type);
  const readable = headerOf(exchange, 'access-control-allow-origin') === '*';
  return [
    ...(json ? [] : [{ text: 'the document is not sent as application/json', severity: 'low' as const }]),
    ...(readable
      ? []
      : [
          {
            text: 'pages of browsers may not read it (Access-Control-Allow-Origin: *)',
            severity: 'info' as const,
          },
        ]),
  ];
}
