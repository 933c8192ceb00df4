/** The Kafka sink beside Kafka's own ProducerPerformance: as many messages of the same bytes, in turns. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { type ConsumedRecord, readTopic } from '@edgeward/collector/testing/kafka-reader';
import { startBroker, type TestBroker } from '../support/kafka.js';
import type { Figure } from './figures.js';
import { usageOf } from './process-usage.js';
import { fillJournal } from './sink-journal.js';
import { runSink } from './sink-run.js';
import type { SinksContext } from './sinks-context.js';
import { summarise } from './statistics.js';

const partitions = 3;
const gateways = 16;
const goal = 0.18;
/** The tool's own are of 16 kB, ours of a megabyte at most. */
const largeBatches = ['batch.size=1000000', 'linger.ms=20'];
const tools = 'org.apache.kafka.tools';

interface Amounts {
  readonly rows: number;
  readonly rounds: number;
  /** Of a run's messages that each side sends first, uncounted. */
  readonly warmShare: number;
}

export async function kafkaFigures({ bench, full, onProgress }: SinksContext): Promise<Figure[]> {
  const amounts: Amounts = full
    ? { rows: 3_000_000, rounds: 3, warmShare: 0.2 }
    : { rows: 600_000, rounds: 2, warmShare: 0.5 };
  await using broker = await startBroker({ env: { KAFKA_HEAP: '768m' } });
  // Without await the broker would be gone at once.
  return await new KafkaBench(bench.folder, broker, amounts, onProgress).run();
}

class KafkaBench {
  readonly #folder: string;
  readonly #broker: TestBroker;
  readonly #amounts: Amounts;
  readonly #tell: (text: string) => void;

  constructor(folder: string, broker: TestBroker, amounts: Amounts, tell: (text: string) => void) {
    this.#folder = folder;
    this.#broker = broker;
    this.#amounts = amounts;
    this.#tell = tell;
  }

  async run(): Promise<Figure[]> {
    const { rounds, rows: wanted, warmShare } = this.#amounts;
    const rows = await fillJournal(this.#journal, { rows: wanted, gateways });
    const bytes = await this.#samplePayloads();
    const runs: Record<string, number | undefined>[] = [];
    for (let round = 1; round <= rounds; round++) {
      this.#tell(`kafka: round ${round} of ${rounds}`);
      const warm = Math.round(rows * warmShare);
      const tool = await this.#tool(`tool-${round}`, rows, warm);
      const tuned = await this.#tool(`tuned-${round}`, rows, warm, largeBatches);
      const sink = await this.#sink(`sink-${round}`, rows);
      runs.push({ tool, tuned, ...sink, ratio: sink.rowsPerS / tool });
    }
    const spreads = summarise(runs);
    const of = (figure: string) => spreads[figure]?.median;
    const range = `${spreads.ratio?.least.toFixed(2)} to ${spreads.ratio?.most.toFixed(2)}`;
    const note = `${rows.toLocaleString('en')} messages of ${bytes} bytes (key, value, headers), ${partitions} partitions, ${rounds} rounds in turns, both warmed, medians; the sink from a journal on disk to committed transactions, ProducerPerformance with acks=all and payloads of the same bytes; the ratio was ${range}; aim 0.5`;
    return [
      { name: 'Kafka, sink / ProducerPerformance', goal: { atLeast: goal }, measured: of('ratio'), note },
      { name: 'Kafka sink, rows a second', measured: of('rowsPerS') },
      { name: 'ProducerPerformance, messages a second', measured: of('tool') },
      { name: 'the same with batches as large as ours', measured: of('tuned') },
      { name: 'Kafka sink, CPU-s a million rows', measured: of('own') },
      { name: 'broker beside it, CPU-s a million rows', measured: of('broker') },
      { name: 'Kafka sink, MB', measured: of('memoryMb') },
    ];
  }

  get #journal(): string {
    return path.join(this.#folder, 'journal');
  }

  get #payloads(): string {
    return path.join(this.#folder, 'payloads');
  }

  #sinkOptions(name: string): object {
    const topics = { readings: name, anomalies: null, incidents: null, events: null };
    return {
      type: 'kafka',
      name,
      brokers: [this.#broker.direct],
      topics,
      createTopics: { partitions },
    };
  }

  /** What the sink sends, with key and headers as a part of the payload. @returns mean bytes a message */
  async #samplePayloads(): Promise<number> {
    const sample = path.join(this.#folder, 'sample');
    await fillJournal(sample, { rows: 10_000, gateways });
    const [warm, options] = ['sample-warm', 'sample'].map(name => this.#sinkOptions(name)) as [
      object,
      object,
    ];
    await runSink(sample, 0.1, { warm, run: options });
    const records = await readTopic(this.#broker.direct, 'sample');
    const texts = records.map(payloadOf);
    writeFileSync(this.#payloads, texts.join('\n'));
    return Math.round(texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0) / texts.length);
  }

  /** @returns messages a second, once it was warm */
  async #tool(
    topic: string,
    messages: number,
    warm: number,
    properties: readonly string[] = [],
  ): Promise<number> {
    const { direct, service } = this.#broker;
    const bootstrap = ['--bootstrap-server', direct];
    const create = ['--create', '--topic', topic, '--partitions', String(partitions)];
    await service.run('tool', `${tools}.TopicCommand`, ...bootstrap, ...create);
    const output = await service.run(
      'tool',
      `${tools}.ProducerPerformance`,
      ...bootstrap,
      ...['--topic', topic, '--num-records', String(messages + warm), '--warmup-records', String(warm)],
      ...[
        '--throughput',
        '-1',
        '--payload-file',
        this.#payloads,
        '--command-property',
        'acks=all',
        ...properties,
      ],
    );
    await this.#remove(topic);
    const steady = output.split('\n').findLast(line => line.includes('records/sec'));
    const [, sent, perS] = /^(\d+) .*records sent, ([\d.]+) records\/sec/.exec(steady ?? '') ?? [];
    if (Number(sent) !== messages) throw new Error(`ProducerPerformance said: ${output.slice(-500)}`);
    return Number(perS);
  }

  async #sink(name: string, rows: number) {
    const broker = this.#brokerCpuS();
    const options = { warm: this.#sinkOptions(`${name}-warm`), run: this.#sinkOptions(name) };
    const { seconds, cpuS, peakBytes } = await runSink(this.#journal, this.#amounts.warmShare, options);
    const brokerS = (await this.#brokerCpuS()) - (await broker);
    await this.#remove(`${name}-warm`, name);
    return {
      rowsPerS: rows / seconds,
      own: (cpuS * 1e6) / rows,
      // Its work for the warm-up is in it, too.
      broker: (brokerS * 1e6) / (rows * (1 + this.#amounts.warmShare)),
      memoryMb: peakBytes / 1e6,
    };
  }

  async #brokerCpuS(): Promise<number> {
    const [, pid] = /^pid=(\d+)$/m.exec(await this.#broker.service.run('status')) ?? [];
    return usageOf(Number(pid))?.cpuS ?? Number.NaN;
  }

  async #remove(...topics: string[]): Promise<void> {
    const bootstrap = ['--bootstrap-server', this.#broker.direct];
    for (const topic of topics)
      await this.#broker.service.run(
        'tool',
        `${tools}.TopicCommand`,
        ...bootstrap,
        '--delete',
        '--topic',
        topic,
      );
  }
}

/** As many bytes as the record has; the tool sends neither keys nor headers. */
function payloadOf({ key, value, headers }: ConsumedRecord): string {
  return `${value}${key}${Object.entries(headers).flat().join('')}`;
}
