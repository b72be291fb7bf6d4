import { serverMetadata } from '../discovery/discovery.ts';
import { stringsOf } from '../exchange.ts';
import { fail, notTested, type Probe, pass } from '../probe.ts';

export const registration: Probe = {
  id: 'A09',
  title: 'A client has a way to make itself known',
  severity: 'medium',
  mode: 'none',
  reference: 'MCP 2026-07-28 client registration; RFC 7591',
  guideItems: [1],
  why: 'Otherwise every client must be registered by hand, and most of them have no field for that.',
  remedy: {
    words:
      'Advertise client_id_metadata_document_supported together with the method "none", or a registration_endpoint with limits, or tell your users the client id to enter and pass it as --client-id.',
    portcullis: 'auth.embedded.clients: { metadataDocuments: true, dynamicRegistration: { … } }.',
  },
  async run(context) {
    const document = await context.once(serverMetadata);
    if (document === null) return notTested('there is no authorization server metadata, see A07');
    const methods = stringsOf(document['token_endpoint_auth_methods_supported']);
    const documents = document['client_id_metadata_document_supported'] === true;
    const dynamic = typeof document['registration_endpoint'] === 'string';
    if (documents && methods.includes('none'))
      return pass(`client metadata documents${dynamic ? ', and registration' : ''}: all current clients`);
    if (documents && !dynamic)
      return fail(
        'client metadata documents are taken, but not with the method "none": Claude does not use them then',
      );
    if (dynamic) return pass('dynamic registration: Claude, ChatGPT, VS Code, Cursor, mcp-remote');
    if (context.tokens.client !== null) return pass('a client id is given out by hand');
    return fail(
      'no client metadata documents and no registration: only clients with a client id of their own',
    );
  },
};
