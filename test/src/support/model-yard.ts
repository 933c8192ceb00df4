/** The collector's broker, and behind it somebody who answers an agent as the test wants: right, or not at all right. */
import { Broker } from '@edgeward/collector/broker';
import type { Message } from '@edgeward/collector/ingest';
import type { AgentReport, ModelDeployment } from '@edgeward/shared/contracts';
import { Gate } from '@edgeward/shared/gate';
import { silentLogger } from '@edgeward/shared/log';
import { encodePart, type PartAsk, parseAsk } from '@edgeward/shared/models/parts';
import { encodeReceipts } from '@edgeward/shared/receipts';
import { topicOf } from '@edgeward/shared/topics';
import { type Block, decodeBlock, parseDescribed, readHeader } from '@edgeward/shared/wire';

export type Files = Readonly<Record<string, Uint8Array>>;

export class ModelYard implements AsyncDisposable {
  readonly asks: PartAsk[] = [];
  readonly blocks: Block[] = [];
  /** Of each block: from when it was made until it came. */
  readonly delaysMs: number[] = [];
  /** Texts of `events`. */
  readonly events: string[] = [];
  report: AgentReport | undefined;
  /** What it hands out; undefined = it does not answer. */
  serve: (ask: PartAsk) => Uint8Array | undefined = () => undefined;
  readonly #described = new Map<string, NonNullable<ReturnType<typeof parseDescribed>>>();
  readonly #changed = new Gate();
  #broker: Broker | undefined;

  static async open(): Promise<ModelYard> {
    const yard = new ModelYard();
    yard.#broker = await Broker.open({
      host: '127.0.0.1',
      port: 0,
      users: undefined,
      log: silentLogger,
      room: () => undefined,
      onMessage: message => {
        yard.#take(message);
        yard.#changed.open();
      },
    });
    return yard;
  }

  get port(): number {
    return this.#broker!.port;
  }

  /** What has been asked and reported so far. */
  forget(): void {
    this.asks.length = 0;
    this.report = undefined;
  }

  files(files: Files): void {
    this.serve = ({ file, offset, bytes }) => files[file]?.subarray(offset, offset + bytes);
  }

  async announce(...assignments: readonly object[]): Promise<void> {
    await this.#broker!.publish(topicOf('gw-1', 'models'), JSON.stringify({ assignments }), true);
  }

  async send(kind: 'models' | 'part', payload: string | Uint8Array): Promise<void> {
    await this.#broker!.publish(topicOf('gw-1', kind), payload);
  }

  async until(what: string, ready: () => boolean, withinMs = 20_000): Promise<void> {
    const endMs = performance.now() + withinMs;
    while (!ready()) {
      const leftMs = endMs - performance.now();
      if (leftMs <= 0)
        throw new Error(`not within ${withinMs} ms: ${what}; ${JSON.stringify(this.report?.deployments)}`);
      await this.#changed.wait(undefined, leftMs);
    }
  }

  /** What came of an order, once that is certain. */
  async outcomeOf(order: string): Promise<ModelDeployment> {
    const find = () =>
      this.report?.deployments?.find(
        one => one.order === order && ['active', 'refused', 'rolled-back'].includes(one.state),
      );
    await this.until(`an outcome of ${order}`, () => find() !== undefined);
    return find()!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#broker?.[Symbol.asyncDispose]();
  }

  #take({ kind, payload }: Message): void {
    const text = () => Buffer.from(payload).toString();
    if (kind === 'state') this.#learn(JSON.parse(text()) as { schemas?: unknown[] });
    else if (kind === 'reported') this.report = JSON.parse(text()) as AgentReport;
    else if (kind === 'events') this.events.push((JSON.parse(text()) as { text: string }).text);
    else if (kind === 'fetch') this.#answer(parseAsk(payload)!);
    else if (kind === 'block') this.#receive(payload);
  }

  #learn({ schemas = [] }: { schemas?: unknown[] }): void {
    for (const json of schemas) {
      const described = parseDescribed(json);
      if (described) this.#described.set(described.id, described);
    }
  }

  #receive(payload: Uint8Array): void {
    this.blocks.push(decodeBlock(payload, id => this.#described.get(id)));
    const { epoch, seq, atMs } = readHeader(payload);
    this.delaysMs.push(Date.now() - atMs);
    const receipt = { epoch, from: seq, through: seq, mark: 'released' as const };
    void this.#broker!.publish(topicOf('gw-1', 'receipt'), encodeReceipts([receipt]));
  }

  #answer(ask: PartAsk): void {
    this.asks.push(ask);
    const data = this.serve(ask);
    if (!data) return;
    const { bundle, file, offset } = ask;
    void this.#broker!.publish(topicOf('gw-1', 'part'), encodePart({ bundle, file, offset, data }));
  }
}
