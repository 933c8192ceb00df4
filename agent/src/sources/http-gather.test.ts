import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { test } from 'node:test';
import { Gather } from './http-gather.js';

const ask = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n';

/** A server that answers only once `count` requests have come. @returns what a client hears, and each write to it */
async function answersTo(count: number, answer: (responses: ServerResponse[], gather: Gather) => void) {
  const gather = new Gather();
  const writes: string[] = [];
  const responses: ServerResponse[] = [];
  const server = createServer((_, response) => {
    if (responses.push(response) === count) answer(responses, gather);
  });
  server.on('connection', socket => {
    const write = socket.write.bind(socket);
    socket.write = ((chunk: string, ...more: []) => {
      writes.push(String(chunk));
      return write(chunk, ...more);
    }) as typeof socket.write;
    gather.watch(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.write(ask.repeat(count));
  let heard = '';
  for await (const data of client) {
    heard += String(data);
    if (heard.split('HTTP/1.1 ').length > count) client.end();
  }
  server.close();
  return { statuses: [...heard.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status)), writes };
}

function end(response: ServerResponse, status: number): void {
  response.writeHead(status);
  response.end();
}

test('answers of one turn leave in one write, in their order', async () => {
  const { statuses, writes } = await answersTo(3, responses => {
    for (const [i, response] of responses.entries()) end(response, 204 + i);
  });
  assert.deepEqual(statuses, [204, 205, 206]);
  assert.equal(writes.length, 1);
});

test('an answer with a body comes behind those that are held', async () => {
  const { statuses } = await answersTo(3, ([first, second, third]) => {
    end(first!, 204);
    second!.writeHead(400).end('no');
    end(third!, 204);
  });
  assert.deepEqual(statuses, [204, 400, 204]);
});

test('the last answer of a connection is not lost with its end', async () => {
  const { statuses } = await answersTo(1, ([only]) => {
    only!.setHeader('connection', 'close');
    end(only!, 204);
  });
  assert.deepEqual(statuses, [204]);
});

test('what is held goes at once where the connection is about to be ended by force', async () => {
  const { statuses } = await answersTo(1, ([only], gather) => {
    end(only!, 204);
    gather.flush();
    only!.socket?.destroySoon();
  });
  assert.deepEqual(statuses, [204]);
});
