/** Clients that push readings as fast as they are answered, over raw sockets, to cost little themselves. */
import { connect, type Socket } from 'node:net';

export interface LoadOptions {
  readonly port: number;
  readonly connections: number;
  /** Requests under way on each of them. */
  readonly pipelined: number;
  /** The n-th request of all, with its head. */
  readonly request: (n: number) => string;
  /** Told of each answer, in the order of its connection's requests. */
  readonly onAnswer: (n: number, status: number, latencyMs: number) => void;
}

export function post(path: string, body: string, headers: Readonly<Record<string, string>> = {}): string {
  const more = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const length = Buffer.byteLength(body);
  return `POST ${path} HTTP/1.1\r\nhost: localhost\r\n${more.join('')}content-length: ${length}\r\n\r\n${body}`;
}

interface Asked {
  readonly n: number;
  readonly atMs: number;
}

/** Sends until `stop`; resolves once all is answered or the connections are gone. Unanswered ones are never told. */
export async function load(options: LoadOptions, stop: AbortSignal): Promise<void> {
  let next = 0;
  const clients = Array.from({ length: options.connections }, () => client(options, () => next++, stop));
  await Promise.all(clients);
}

function client(options: LoadOptions, next: () => number, stop: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const socket = connect({ port: options.port, host: '127.0.0.1', noDelay: true });
    const asked: Asked[] = [];
    let text = '';
    const fill = () => {
      let out = '';
      while (!stop.aborted && asked.length < options.pipelined) {
        const n = next();
        asked.push({ n, atMs: performance.now() });
        out += options.request(n);
      }
      if (out !== '') socket.write(out);
      else if (asked.length === 0) socket.end();
    };
    socket.on('connect', fill);
    socket.on('data', data => {
      text += data.toString('latin1');
      text = answers(text, status => {
        const { n, atMs } = asked.shift()!;
        options.onAnswer(n, status, performance.now() - atMs);
      });
      fill();
    });
    onEnd(socket, resolve);
  });
}

/** Tells the status of each whole answer. @returns what is left */
function answers(text: string, tell: (status: number) => void): string {
  let at = 0;
  for (;;) {
    const end = text.indexOf('\r\n\r\n', at);
    if (end < 0) return text.slice(at);
    const head = text.slice(at, end);
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (end + 4 + length > text.length) return text.slice(at);
    at = end + 4 + length;
    tell(Number(head.slice(9, 12)));
  }
}

function onEnd(socket: Socket, resolve: () => void): void {
  socket.on('error', () => undefined); // the other side was killed
  socket.on('close', () => resolve());
}
