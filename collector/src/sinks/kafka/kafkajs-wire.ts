/**
 * kafkajs below its producer and consumer: connections, TLS, SASL, framing. Its own producer makes several objects for
 * each record and header, and uses sequence numbers again after a failure (the broker then drops a batch of equal
 * count in silence); its consumer reads only as a member of a group, and skips to the end where compaction left an
 * empty batch. 2.2.4 is its last version and is pinned, because these files are no part of its API.
 */
import { createRequire } from 'node:module';
import { connect, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { EdgewardError } from '@edgeward/shared/errors';
import { isLoopback } from '@edgeward/shared/hosts';
import type { ISocketFactoryArgs, logCreator, SASLOptions } from 'kafkajs';
import { Answer } from './answer.js';
import type { Call } from './calls.js';
import type { Node, Wire } from './wire.js';

export interface KafkajsOptions {
  readonly clientId: string;
  readonly ssl?: ConnectionOptions | undefined;
  readonly sasl?: SASLOptions | undefined;
  readonly connectionTimeout: number;
  readonly requestTimeout: number;
  readonly logLevel: number;
  readonly logCreator: logCreator;
}

/** What kafkajs copies into its request: its encoder looks at no more of a buffer than these two. */
interface Copied {
  readonly length: number;
  copy(target: Buffer, at: number): unknown;
}

interface Encoded {
  readonly buf: Buffer;
  readonly buffer: Copied;
}

interface ProtocolRequest<T> {
  readonly request: { apiKey: number; apiVersion: number; apiName: string; encode(): Promise<Encoded> };
  readonly response: { decode(raw: Buffer): Promise<Answer>; parse(answer: Answer): Promise<T> };
  readonly logResponseError: boolean;
}

interface Broker {
  connect(): Promise<void>;
  readonly connectionPool: { send<T>(request: ProtocolRequest<T>): Promise<T> };
}

interface PoolBuilder {
  build(where: { host: string; port: number }): Promise<Broker['connectionPool']>;
}

const require = createRequire(import.meta.url);
const BrokerClass: new (options: object) => Broker = require('kafkajs/src/broker');
const poolBuilder: (options: object) => PoolBuilder = require('kafkajs/src/cluster/connectionPoolBuilder');
const { createLogger }: { createLogger(options: object): unknown } = require('kafkajs/src/loggers');

export class KafkajsWire implements Wire {
  readonly #sockets = new Set<Socket>();
  readonly #pools: PoolBuilder;
  readonly #logger: unknown;
  readonly #authenticationTimeout: number;
  /** The password is sent as it is. */
  readonly #isOpen: boolean;
  #closed = false;

  constructor({ logLevel: level, logCreator, ...options }: KafkajsOptions) {
    this.#logger = createLogger({ level, logCreator });
    this.#authenticationTimeout = options.requestTimeout;
    this.#isOpen = options.sasl?.mechanism === 'plain' && !options.ssl;
    this.#pools = poolBuilder({
      ...options,
      logger: this.#logger,
      enforceRequestTimeout: true,
      socketFactory: (how: ISocketFactoryArgs) => this.#socket(how),
    });
  }

  /** Brokers tell of others, wherever those are. @throws EW_SINK_DENIED before a password would be seen by others */
  async connect(host: string, port: number): Promise<Node> {
    if (this.#isOpen && !isLoopback(host))
      throw new EdgewardError(
        'EW_SINK_DENIED',
        `The password would go to the broker ${host}:${port} as it is. Remedy: add tls, or use scram-sha-512.`,
      );
    const broker = new BrokerClass({
      connectionPool: await this.#pools.build({ host, port }),
      logger: this.#logger,
      authenticationTimeout: this.#authenticationTimeout,
      allowAutoTopicCreation: false,
    });
    await broker.connect();
    return { call: call => send(broker, call) };
  }

  close(): void {
    this.#closed = true;
    // With an error, because kafkajs takes no notice of a bare close and would wait for its time-outs.
    for (const socket of this.#sockets) socket.destroy(new Error('closed'));
  }

  #socket({ host, port, ssl, onConnect }: ISocketFactoryArgs): Socket {
    const named = isIP(host) ? {} : { servername: host };
    const socket = ssl
      ? connectTls({ host, port, ...named, ...ssl }, onConnect)
      : connect({ host, port }, onConnect);
    socket.setKeepAlive(true, 60_000);
    socket.setNoDelay(true);
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    if (this.#closed) socket.destroy(new Error('closed'));
    return socket;
  }
}

/** Buffers that are to be copied as if they were one. */
class Pieces implements Copied {
  readonly length: number;
  readonly #pieces: readonly Buffer[];

  constructor(pieces: readonly Buffer[]) {
    this.#pieces = pieces;
    this.length = pieces.reduce((sum, { length }) => sum + length, 0);
  }

  copy(target: Buffer, at: number): void {
    let to = at;
    for (const piece of this.#pieces) to += piece.copy(target, to);
  }
}

function send<T>(broker: Broker, { apiKey, version, name, body, read }: Call<T>): Promise<T> {
  return broker.connectionPool.send({
    request: {
      apiKey,
      apiVersion: version,
      apiName: name,
      encode: async () => ({ buf: body[0]!, buffer: body.length === 1 ? body[0]! : new Pieces(body) }),
    },
    response: { decode: async raw => new Answer(raw), parse: async answer => read(answer) },
    logResponseError: false, // it goes up
  });
}
