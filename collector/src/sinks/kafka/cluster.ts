import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import { getOrMake } from '@edgeward/shared/maps';
import { BrokerError } from './broker-error.js';
import {
  type Address,
  type Call,
  type CoordinatorKind,
  coordinatorCall,
  type Metadata,
  metadataCall,
  type TopicMetadata,
} from './calls.js';
import type { Node, Wire } from './wire.js';

const leaderNotAvailable = 5;

/**
 * Who is who in the cluster, as it was when first asked: whoever is told by a broker that it has changed begins anew
 * with another.
 */
export class Cluster {
  readonly #wire: Wire;
  readonly #bootstrap: readonly string[];
  readonly #nodes = new Map<string, Promise<Node>>();
  readonly #leaders = new Map<string, Promise<ReadonlyMap<number, Address>>>();
  #anyone: Promise<Node> | undefined;

  /** @param bootstrap  `host:port` of some brokers */
  constructor(wire: Wire, bootstrap: readonly string[]) {
    this.#wire = wire;
    this.#bootstrap = bootstrap;
  }

  /** The first broker of those named that can be reached. */
  anyone(): Promise<Node> {
    this.#anyone ??= this.#reach();
    return this.#anyone;
  }

  async topics(names: readonly string[]): Promise<readonly TopicMetadata[]> {
    return (await this.ask(metadataCall(names))).topics;
  }

  async controller(): Promise<Node> {
    const { brokers, controller } = await this.ask(metadataCall([]));
    const address = brokers.get(controller);
    return address ? this.#node(address) : this.anyone();
  }

  async leader(topic: string, partition: number): Promise<Node> {
    const leaders = await getOrMake(this.#leaders, topic, () => this.#findLeaders(topic));
    const address = leaders.get(partition);
    if (!address) throw new BrokerError(leaderNotAvailable, `topic ${topic}, partition ${partition}`);
    return this.#node(address);
  }

  /** Asks anew who leads it. */
  forget(topic: string): void {
    this.#leaders.delete(topic);
  }

  async coordinator(kind: CoordinatorKind, id: string): Promise<Node> {
    return this.#node(await this.ask(coordinatorCall(kind, id)));
  }

  async ask<T>(call: Call<T>): Promise<T> {
    return (await this.anyone()).call(call);
  }

  close(): void {
    this.#wire.close();
  }

  async #findLeaders(topic: string): Promise<ReadonlyMap<number, Address>> {
    const { brokers, topics } = await this.ask(metadataCall([topic]));
    return leadersOf(brokers, topics[0]);
  }

  #node({ host, port }: Address): Promise<Node> {
    return getOrMake(this.#nodes, `${host}:${port}`, () => this.#wire.connect(host, port));
  }

  async #reach(): Promise<Node> {
    const errors: unknown[] = [];
    const told: string[] = [];
    for (const broker of this.#bootstrap) {
      const colon = broker.lastIndexOf(':');
      const host = broker.slice(0, colon).replace(/^\[|\]$/g, '');
      try {
        return await this.#node({ host, port: Number(broker.slice(colon + 1)) });
      } catch (error) {
        errors.push(error);
        told.push(`${broker}: ${messageOf(error)}`);
      }
    }
    if (errors.length === 1) throw errors[0];
    throw new AggregateError(errors, `no broker can be reached (${told.join('; ')})`);
  }
}

function leadersOf(brokers: Metadata['brokers'], topic: TopicMetadata | undefined): Map<number, Address> {
  if (!topic) throw new EdgewardError('EW_SINK_WRITE', 'The broker tells nothing of a topic.');
  if (topic.code !== 0 && topic.code !== leaderNotAvailable)
    throw new BrokerError(topic.code, `topic ${topic.name}`);
  const known = [...topic.leaders].flatMap(([partition, leader]) => {
    const address = brokers.get(leader);
    return address ? [[partition, address] as const] : [];
  });
  return new Map(known);
}
