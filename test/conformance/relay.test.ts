import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { after, before, beforeEach, describe, it } from 'node:test';
import { eventually } from '../support/fixture-server/index.ts';
import { type Injector, startInjector } from '../support/injector.ts';

describe('the relay in front of the gateway', () => {
  let injector: Injector;
  let handle: (request: IncomingMessage, response: ServerResponse) => void;
  const upstream = createServer((request, response) => handle(request, response));
  before(async () => {
    upstream.listen(0, '127.0.0.1');
    await once(upstream, 'listening');
    injector = await startInjector({ to: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}` });
  });
  beforeEach(() => injector.useToken('t0ken'));
  after(async () => {
    await injector.close();
    upstream.closeAllConnections();
    upstream.close();
    await once(upstream, 'close');
  });

  const raw = async (text: string): Promise<string> => {
    const socket = connect(injector.port, '127.0.0.1');
    let answer = '';
    socket.setEncoding('latin1').on('data', (chunk) => {
      answer += chunk;
    });
    socket.write(text.replaceAll('\n', '\r\n'), 'latin1');
    await once(socket, 'end');
    socket.destroy();
    return answer;
  };

  it('keeps method, target, header case and order, Host, Origin and body', async () => {
    let seen: { request: IncomingMessage; body: string } | undefined;
    handle = async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      seen = { request, body };
      response.writeHead(207, 'Multi', ['X-Odd-Case', '1', 'x-odd-case', '2']).end('ok');
    };
    const answer = await raw(
      'DELETE /mcp?a=%2f HTTP/1.1\nHost: evil.example\nmCp-SeSsIoN-iD: s\nOrigin: http://evil.example\n' +
        'Content-Length: 3\nConnection: close\n\nabc',
    );
    assert.deepEqual(seen?.request.rawHeaders.slice(0, 10), [
      ...['Host', 'evil.example', 'mCp-SeSsIoN-iD', 's', 'Origin', 'http://evil.example'],
      ...['Content-Length', '3', 'Authorization', 'Bearer t0ken'],
    ]);
    assert.equal(`${seen?.request.method} ${seen?.request.url}`, 'DELETE /mcp?a=%2f');
    assert.equal(seen?.body, 'abc');
    assert.match(answer, /^HTTP\/1\.1 207 Multi\r\nX-Odd-Case: 1\r\nx-odd-case: 2\r\n/);
  });

  it('adds no token where the client brings one, or where there is none', async () => {
    const seen: (string | undefined)[] = [];
    handle = (request, response) => {
      seen.push(request.headers.authorization);
      response.end();
    };
    await raw('GET / HTTP/1.1\nHost: a\nAuthorization: Bearer own\nConnection: close\n\n');
    injector.useToken(undefined);
    await raw('GET / HTTP/1.1\nHost: a\nConnection: close\n\n');
    assert.deepEqual(seen, ['Bearer own', undefined]);
  });

  it('passes each piece of a stream on when it comes, and the head before any', async () => {
    let stream: ServerResponse | undefined;
    handle = (_request, response) => {
      stream = response.writeHead(200, { 'content-type': 'text/event-stream' });
      stream.flushHeaders();
    };
    const client = request({ port: injector.port, host: '127.0.0.1' }).end();
    const [answer] = (await once(client, 'response')) as [IncomingMessage];
    for (const piece of ['data: 1\n\n', 'data: 2\n\n']) {
      stream?.write(piece);
      assert.equal(String((await once(answer, 'data'))[0]), piece);
    }
    stream?.end();
    answer.resume();
    await once(answer, 'end');
  });

  it('takes one side down with the other, both ways', async () => {
    let arrived: (response: ServerResponse) => void = () => {};
    handle = (_request, response) => arrived(response.writeHead(200));
    for (const goesFirst of ['client', 'upstream'] as const) {
      const upstreamSide = new Promise<ServerResponse>((resolve) => {
        arrived = resolve;
      });
      const client = request({ port: injector.port, host: '127.0.0.1' }).end();
      client.on('error', () => {});
      const served = await upstreamSide;
      served.flushHeaders();
      const [answer] = (await once(client, 'response')) as [IncomingMessage];
      answer.on('error', () => {}).resume();
      if (goesFirst === 'client') {
        client.destroy();
        await once(served, 'close');
      } else {
        served.destroy();
        await new Promise((resolve) => answer.on('close', resolve));
        assert.equal(answer.complete, false);
      }
    }
    await eventually(injector.open, 0);
  });
});
