import { declaredOn } from '../declared-row.ts';
import type { Probe } from '../probe.ts';

export const declaredTls: Probe = {
  id: 'C04',
  title: 'TLS up to the server, or a named proxy',
  severity: 'high',
  mode: 'declared',
  reference: 'RFC 9325',
  guideItems: [11],
  why: 'Behind a proxy, only the configuration knows where TLS ends.',
  remedy: {
    words: 'End TLS in the process, or name the proxies that do.',
    portcullis: 'tls, or trustedProxies.',
  },
  run: (context) => declaredOn(context, 'tls'),
};
