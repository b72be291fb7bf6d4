import { discover } from '../discovery/discovery.ts';
import { quoted } from '../evidence.ts';
import { fail, notTested, type Probe, pass } from '../probe.ts';

export const resourceIdentifier: Probe = {
  id: 'A06',
  title: 'The metadata is that of the URL people type',
  severity: 'high',
  mode: 'none',
  reference: 'RFC 9728 section 3.3; RFC 8707 section 2',
  guideItems: [2, 4],
  why: 'Clients compare strings and refuse what differs; and the audience of tokens is made from it.',
  remedy: {
    words:
      'Publish exactly the URL that clients use as resource: scheme, host, port, path and slash. Behind a proxy, configure the public URL instead of deriving it.',
    express: 'resourceServerUrl: new URL("https://mcp.example.com/mcp").',
    fastmcp: 'base_url="https://mcp.example.com", and the same path as the server is mounted at.',
    sdk: 'One constant for resourceServerUrl and the verifier’s audience.',
    portcullis: 'publicUrl: https://mcp.example.com and servers.NAME.path: /mcp.',
  },
  async run(context) {
    const { resource } = await context.once(discover);
    if (resource === null) return notTested('there is no resource metadata, see A05');
    const published = resource.document?.['resource'];
    const { href } = context.target;
    if (published === href) return pass(`resource is ${href}`, [resource.exchange]);
    return fail(`clients that type ${href} refuse it: resource is ${quoted(published ?? 'missing')}`, [
      resource.exchange,
    ]);
  },
};
