/**
 * So many gateways in one process, packet by packet, to cost little themselves: `PORT GATEWAYS`.
 * Tells `ready` once all are connected; each line on standard input makes it send one block a gateway and
 * second, spread evenly, for so many seconds, and answer with `CrowdResult` once all are received or five more are over.
 * The line `report` makes each send a report.
 */
import { createInterface } from 'node:readline';
import { gatewayWill, RawMqtt } from '@edgeward/collector/testing/raw-mqtt';
import type { AgentReport, RecordBatch } from '@edgeward/shared/contracts';
import { parseReceipts } from '@edgeward/shared/receipts';
import { topicOf } from '@edgeward/shared/topics';
import { describe, describedToJson, encodeBlock } from '@edgeward/shared/wire';
import { preparedBlocks } from './columnar-source.js';

export interface CrowdResult {
  readonly blocks: number;
  readonly received: number;
  readonly seconds: number;
}

const [port = 0, count = 1] = process.argv.slice(2).map(Number);
/** One row of ten devices a block. */
const blocks = preparedBlocks({
  blockReadings: 80,
  devices: 10,
  readings: 0,
  intervalMs: 0,
  blocksPerBeat: 1,
});
const described = describe(blocks[0]!.schema);
const sliceMs = 20;
const graceMs = 5000;

class Gateway {
  readonly #name: string;
  readonly #outbox: string;
  readonly #epoch: string;
  #mqtt: RawMqtt | undefined;
  #seq = 0;
  received = 0;

  constructor(n: number) {
    this.#name = `gateway-${n}`;
    this.#outbox = n.toString(16).padStart(32, '0');
    this.#epoch = `000000001-${n.toString(16).padStart(16, '0')}`;
  }

  async connect(): Promise<void> {
    const { will } = gatewayWill(this.#name, { outbox: this.#outbox });
    const state = { ...(JSON.parse(will.payload.toString('utf8')) as object), epoch: this.#epoch };
    const willNow = { ...will, payload: Buffer.from(JSON.stringify(state)) };
    const mqtt = new RawMqtt({ port });
    this.#mqtt = mqtt;
    await mqtt.untilConnected();
    const answer = await mqtt.connect(this.#name, { keepalive: 600, will: willNow });
    if (answer?.returnCode !== 0) throw new Error(`${this.#name} was refused: ${answer?.returnCode}`);
    await mqtt.subscribe([topicOf(this.#name, 'receipt'), 1], [topicOf(this.#name, 'desired'), 1]);
    const birth = { ...state, online: true, schemas: [describedToJson(described)] };
    await mqtt.publish(topicOf(this.#name, 'state'), JSON.stringify(birth), true);
  }

  send(): void {
    this.#seq += 1;
    const batch: RecordBatch = blocks[this.#seq % blocks.length]!;
    const n = batch.time.length;
    const atMs = Date.now();
    const now = {
      ...batch,
      time: new Float64Array(n).fill(atMs),
      row: new Float64Array(n).fill(this.#seq),
    };
    const id = { epoch: this.#epoch, seq: this.#seq, oldestEpoch: this.#epoch, atMs };
    const payload = Buffer.from(encodeBlock(id, now));
    const messageId = 1 + (this.#seq % 65_535);
    const topic = topicOf(this.#name, 'block');
    this.#mqtt?.send({ cmd: 'publish', topic, payload, qos: 1, messageId, dup: false, retain: false });
    this.take();
  }

  report(): Promise<unknown> | undefined {
    const schema = blocks[0]!.schema;
    const rows = [{ epoch: this.#epoch, ranges: [[1, this.#seq]] as const }];
    const none = { rejected: 0, thinned: 0, dropped: 0, damaged: 0, held: [] };
    const report: AgentReport = {
      gateway: this.#name,
      epoch: this.#epoch,
      atMs: Date.now(),
      version: '0.1.0',
      devices: schema.devices.map(device => ({ device, read: this.#seq, ...none, rows })),
      condensedThrough: 0,
      outbox: {
        id: this.#outbox,
        blocks: 0,
        bytes: 0,
        maxBytes: 1e9,
        oldestMs: Date.now(),
        durability: 'deferred',
      },
      process: { pid: 1, rssBytes: 9e7, cpuSeconds: 12.5 },
      models: {},
    };
    return this.#mqtt?.publish(topicOf(this.#name, 'reported'), JSON.stringify(report), false);
  }

  /** Reads the receipts so far, and acknowledges them. */
  take(): void {
    for (const packet of this.#mqtt?.packets.splice(0) ?? []) {
      if (packet.cmd !== 'publish') continue;
      if (packet.qos === 1) this.#mqtt?.send({ cmd: 'puback', messageId: packet.messageId! });
      if (!packet.topic.endsWith('/receipt')) continue;
      const receipts = parseReceipts(Buffer.from(packet.payload)) ?? [];
      for (const { from, through, mark } of receipts)
        if (mark === 'released') this.received += through - from + 1;
    }
  }
}

const gateways = Array.from({ length: count }, (_, n) => new Gateway(n));
for (let i = 0; i < count; i += 50) await Promise.all(gateways.slice(i, i + 50).map(one => one.connect()));
process.stdout.write('ready\n');

/** Slice after slice of the gateways, each of them once a second. */
async function run(seconds: number): Promise<CrowdResult> {
  const before = gateways.reduce((sum, { received }) => sum + received, 0);
  const startMs = performance.now();
  let sent = 0;
  const total = seconds * count;
  while (sent < total) {
    const due = Math.min(total, Math.floor(((performance.now() - startMs) / 1000) * count));
    for (; sent < due; sent++) gateways[sent % count]!.send();
    await new Promise(resolve => setTimeout(resolve, sliceMs));
  }
  const tookS = (performance.now() - startMs) / 1000;
  const received = () => {
    for (const gateway of gateways) gateway.take();
    return gateways.reduce((sum, one) => sum + one.received, -before);
  };
  for (const endMs = performance.now() + graceMs; received() < total && performance.now() < endMs; )
    await new Promise(resolve => setTimeout(resolve, sliceMs));
  return { blocks: total, received: received(), seconds: tookS };
}

async function reportAll(): Promise<string> {
  for (let i = 0; i < count; i += 50) await Promise.all(gateways.slice(i, i + 50).map(one => one.report()));
  return 'reported';
}

for await (const line of createInterface({ input: process.stdin }))
  process.stdout.write(
    `${line === 'report' ? await reportAll() : JSON.stringify(await run(Number(line)))}\n`,
  );
process.exit(0);
