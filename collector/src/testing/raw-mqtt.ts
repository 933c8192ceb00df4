import { connect, type Socket } from 'node:net';
import { Gate } from '@edgeward/shared/gate';
import { topicOf } from '@edgeward/shared/topics';
import { generate, type IConnackPacket, type IConnectPacket, type Packet, parser } from 'mqtt-packet';

type Cmd = Packet['cmd'];
type Of<C extends Cmd> = Extract<Packet, { cmd: C }>;

/** MQTT 3.1.1 packet by packet: it does only what it is told, right or wrong, and answers nothing by itself. */
export class RawMqtt implements Disposable {
  readonly socket: Socket;
  readonly packets: Packet[] = [];
  readonly #changed = new Gate();
  #closed = false;
  #lastId = 0;

  constructor({ port }: { readonly port: number }, host = '127.0.0.1') {
    const parsing = parser({ protocolVersion: 4 });
    parsing.on('packet', packet => {
      this.packets.push(packet);
      this.#changed.open();
    });
    this.socket = connect({ host, port, noDelay: true });
    this.socket.on('data', bytes => parsing.parse(bytes));
    this.socket.on('error', () => undefined);
    this.socket.on('connect', () => this.#changed.open());
    this.socket.on('close', () => {
      this.#closed = true;
      this.#changed.open();
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  send(...packets: Packet[]): void {
    this.write(Buffer.concat(packets.map(packet => generate(packet, { protocolVersion: 4 }))));
  }

  write(bytes: Uint8Array): void {
    this.socket.write(bytes);
  }

  /** The first packet of this kind that was not taken yet; undefined once the connection is closed without one. */
  async next<C extends Cmd>(cmd: C): Promise<Of<C> | undefined> {
    for (;;) {
      const at = this.packets.findIndex(packet => packet.cmd === cmd);
      if (at >= 0) return this.packets.splice(at, 1)[0] as Of<C>;
      if (this.#closed) return undefined;
      await this.#changed.wait();
    }
  }

  connect(clientId: string, more: Partial<IConnectPacket> = {}): Promise<IConnackPacket | undefined> {
    this.send(connectPacket(clientId, more));
    return this.next('connack');
  }

  /** @returns the granted QoS of each, 128 = refused; undefined if the connection was closed instead */
  async subscribe(...topics: (string | readonly [string, 0 | 1 | 2])[]): Promise<number[] | undefined> {
    const subscriptions = topics.map(given => {
      const [topic, qos] = typeof given === 'string' ? ([given, 2] as const) : given;
      return { topic, qos };
    });
    this.send({ cmd: 'subscribe', messageId: this.#id(), subscriptions });
    return (await this.next('suback'))?.granted as number[] | undefined;
  }

  /** QoS 1. @returns true once acknowledged, false if the connection was closed instead */
  async publish(topic: string, payload: string | Buffer = 'x', retain = false): Promise<boolean> {
    this.send({ cmd: 'publish', topic, payload, qos: 1, messageId: this.#id(), dup: false, retain });
    return (await this.next('puback')) !== undefined;
  }

  /** An answer to this proves that all before it was taken. @returns false if the connection was closed */
  async ping(): Promise<boolean> {
    this.send({ cmd: 'pingreq' });
    return (await this.next('pingresp')) !== undefined;
  }

  async untilConnected(): Promise<void> {
    while (this.socket.connecting && !this.#closed) await this.#changed.wait();
  }

  async untilClosed(): Promise<void> {
    while (!this.#closed) await this.#changed.wait();
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #id(): number {
    this.#lastId += 1;
    return this.#lastId;
  }
}

export function connectPacket(clientId: string, more: Partial<IConnectPacket> = {}): IConnectPacket {
  return {
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: 4,
    clean: true,
    keepalive: 0,
    clientId,
    ...more,
  };
}

/** What an agent logs in with: its last will names its outbox and its epoch. */
export function gatewayWill(gateway: string, { outbox = 'outbox-1', start = 1, bits = 'a' } = {}) {
  const epoch = `${String(start).padStart(9, '0')}-${bits.repeat(16).slice(0, 16)}`;
  const payload = JSON.stringify({ online: false, epoch, outbox, link: 1, version: '0' });
  return {
    will: { topic: topicOf(gateway, 'state'), payload: Buffer.from(payload), qos: 1 as const, retain: true },
  };
}
