/**
 * The load of `mqtt-source.ts`, as a process of its own: a broker of one client that knows only what the bench needs
 * and writes packets made beforehand. `PORT WINDOW MESSAGES FORMAT`; each line on standard input lets it send so many
 * messages, and once they are all acknowledged it writes a line with the seconds that took.
 */
import { createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

const [port = 0, window = 1000, messages = 0] = process.argv.slice(2).map(Number);
const format = process.argv[5] ?? 'number';
const devices = 10;

function publish(n: number): Buffer {
  const value = (20 + (n % 1000) / 100).toFixed(2);
  const topic = format === 'json' ? `plant/a/m-${n % devices}` : `plant/a/m-${n % devices}/temp`;
  const payload = format === 'json' ? `{"temp":${value}}` : value;
  const id = Buffer.from([(1 + (n % 65_535)) >> 8, (1 + (n % 65_535)) & 255]);
  const body = Buffer.concat([Buffer.from([0, topic.length]), Buffer.from(topic), id, Buffer.from(payload)]);
  return Buffer.concat([Buffer.from([0x32, body.length]), body]);
}

// Identifiers go round after 65,535 messages, and so do the packets.
const packets = Array.from({ length: 65_535 }, (_, n) => publish(n));

class Load {
  readonly #socket: Socket;
  #sent = 0;
  #acknowledged = 0;
  #wanted = 0;
  #startMs = 0;
  #rest: Buffer = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', chunk => this.#data(chunk));
    socket.on('error', () => process.exit(0));
  }

  run(): void {
    this.#startMs = performance.now();
    this.#wanted += messages;
    this.#send();
  }

  #send(): void {
    const until = Math.min(this.#wanted, this.#acknowledged + window);
    if (until === this.#sent) return;
    const batch: Buffer[] = [];
    for (; this.#sent < until; this.#sent++) batch.push(packets[this.#sent % packets.length]!);
    this.#socket.write(Buffer.concat(batch));
  }

  /** Every packet of a client here is shorter than 128 bytes, or CONNECT or SUBSCRIBE, which come alone. */
  #data(chunk: Buffer): void {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    let at = 0;
    while (at + 2 <= bytes.length && at + 2 + bytes[at + 1]! <= bytes.length) {
      const type = bytes[at]! >> 4;
      if (type === 4) this.#acknowledged += 1;
      else if (type === 1) this.#socket.write(Buffer.from([0x20, 2, 0, 0]));
      else if (type === 8) this.#socket.write(Buffer.from([0x90, 3, bytes[at + 2]!, bytes[at + 3]!, 1]));
      else if (type === 12) this.#socket.write(Buffer.from([0xd0, 0]));
      at += 2 + bytes[at + 1]!;
    }
    this.#rest = bytes.subarray(at);
    if (this.#wanted > 0 && this.#acknowledged === this.#wanted) {
      process.stdout.write(`${(performance.now() - this.#startMs) / 1000}\n`);
    } else this.#send();
  }
}

createServer(socket => {
  const load = new Load(socket);
  const lines = createInterface({ input: process.stdin });
  lines.on('line', () => load.run());
  lines.on('close', () => process.exit(0));
}).listen(port, '127.0.0.1');
