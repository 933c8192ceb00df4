/**
 * Readings as rows of devices: one of the collector, one of each sink, one of each gateway. They are no deliveries of a
 * gateway and never in the journal, so they neither count as input nor wait for a disk whose failure they have to tell.
 */
import type { Delivery, Field, RecordBatch, Schema } from '@edgeward/shared/contracts';
import type { GatewayReading, Reading, SinkReading } from './readings.js';

/** No gateway can have this name, nor a device these: names begin with a letter or a digit. */
export const pipeline = '_pipeline';
export const collectorDevice = '_collector';
export const sinkDevice = (sink: string) => `_sink-${sink}`;

type Cell = readonly [name: string, unit: string | undefined, value: number | undefined];
type Named = readonly (readonly [name: string, unit?: string | undefined, ...more: unknown[]])[];
/** Values in the order of the fields. */
interface Row {
  readonly device: string;
  readonly values: readonly (number | undefined)[];
}
type Table = readonly Row[];

/** Rows that came in the last minute are counted over so many looks at the most. */
const mostLooks = 60;
const minuteMs = 60_000;
/** An index of a device has 16 bits. */
const mostDevices = 10_000;

const gatewayFields: Named = [
  ['silent', 's'],
  ['rows_per_second', '1/s'],
  ['rows_a_minute', '1/min'],
  ['late_rows'],
  ['event_delay_p50', 's'],
  ['event_delay_p99', 's'],
  ['read_delay', 's'],
  ['sent_delay', 's'],
  ['ingested_delay', 's'],
  ['outbox_bytes', 'B'],
  ['outbox_share'],
  ['outbox_age', 's'],
  ['clock_offset', 's'],
  ['cpu_share'],
  ['resident_memory', 'B'],
  ['devices'],
  ['online'],
];

interface Counted {
  /** Looks of the last minute, oldest first: when, and how many rows there had been by then. */
  looks: { readonly atMs: number; readonly rows: number }[];
  cpuSeconds: number | undefined;
  cpuAtMs: number | undefined;
  cpuShare: number | undefined;
}

export class RowMaker {
  #before: Reading | undefined;
  readonly #counted = new Map<string, Counted>();
  readonly #schemas = new Map<string, Schema>();
  #seq = 0;

  make(reading: Reading): Delivery[] {
    const before = this.#before;
    this.#before = reading;
    const seconds = before ? Math.max(0.001, (reading.atMs - before.atMs) / 1000) : undefined;
    const sinks = new Map(before?.sinks.map(sink => [sink.name, sink]));
    const gateways = reading.gateways.map(gateway => this.#gatewayRow(gateway, reading.atMs));
    const collector = collectorRow(reading, before, seconds);
    const all = reading.sinks.map(sink => sinkRow(sink, sinks.get(sink.name), seconds));
    const tables: [string, Named, Table][] = [
      ['pipeline-collector', collector, [rowOf(collectorDevice, collector)]],
      ['pipeline-sink', all[0]?.cells ?? [], all.map(({ device, cells }) => rowOf(device, cells))],
    ];
    for (let at = 0; at < gateways.length; at += mostDevices)
      tables.push(['pipeline-gateway', gatewayFields, gateways.slice(at, at + mostDevices)]);
    this.#forget(reading);
    return tables.flatMap(([type, fields, table]) =>
      table.length === 0 ? [] : [this.#delivery(type, fields, table, reading.nowMs)],
    );
  }

  #gatewayRow(gateway: GatewayReading, atMs: number): Row {
    const { hops, outbox, silentMs, clockOffsetS } = gateway;
    const counted = this.#count(gateway, atMs);
    const [first] = counted.looks;
    const last = counted.looks.at(-2);
    const rate = last && (1000 * (gateway.rows - last.rows)) / Math.max(1, atMs - last.atMs);
    const values = [
      silentMs === undefined ? undefined : silentMs / 1000,
      rate,
      first && gateway.rows - first.rows,
      gateway.lateRows,
      hops?.p50S,
      hops?.p99S,
      hops?.readS,
      hops?.sentS,
      hops?.ingestedS,
      outbox?.bytes,
      outbox?.share,
      outbox?.ageS,
      clockOffsetS,
      counted.cpuShare,
      gateway.rssBytes,
      gateway.devices,
      gateway.online ? 1 : 0,
    ];
    return { device: gateway.id, values };
  }

  #count({ id, rows, cpuSeconds, reportAtMs }: GatewayReading, atMs: number): Counted {
    let counted = this.#counted.get(id);
    if (!counted) {
      counted = { looks: [], cpuSeconds: undefined, cpuAtMs: undefined, cpuShare: undefined };
      this.#counted.set(id, counted);
    }
    counted.looks.push({ atMs, rows });
    while (counted.looks.length > mostLooks || atMs - counted.looks[0]!.atMs > minuteMs)
      counted.looks.shift();
    if (cpuSeconds !== undefined && reportAtMs !== undefined && reportAtMs !== counted.cpuAtMs) {
      const usedS = cpuSeconds - (counted.cpuSeconds ?? cpuSeconds);
      const overS = (reportAtMs - (counted.cpuAtMs ?? reportAtMs)) / 1000;
      counted.cpuShare = usedS >= 0 && overS > 0 ? usedS / overS : undefined;
      counted.cpuSeconds = cpuSeconds;
      counted.cpuAtMs = reportAtMs;
    }
    return counted;
  }

  #forget({ gateways }: Reading): void {
    if (this.#counted.size <= gateways.length) return;
    const known = new Set(gateways.map(({ id }) => id));
    for (const id of this.#counted.keys()) if (!known.has(id)) this.#counted.delete(id);
  }

  #delivery(type: string, named: Named, table: Table, nowMs: number): Delivery {
    this.#seq += 1;
    const batch = batchOf(this.#schemaFor(type, named, table), table, nowMs, this.#seq);
    const place = { gateway: pipeline, epoch: 'pipeline', seq: this.#seq, position: 0 };
    return { ...place, ingestedMs: nowMs, late: false, batch };
  }

  /** The same object for the same devices: what follows remembers by it. */
  #schemaFor(type: string, named: Named, table: Table): Schema {
    const devices = table.map(({ device }) => device);
    const key = `${type} ${devices[0]}`;
    const known = this.#schemas.get(key);
    if (known?.devices.length === devices.length && known.devices.every((name, i) => name === devices[i]))
      return known;
    const fields = named.map(
      ([name, unit]): Field => ({ name, kind: 'float', ...(unit !== undefined && { unit }) }),
    );
    const schema: Schema = { type, fields, devices };
    this.#schemas.set(key, schema);
    return schema;
  }
}

function batchOf(schema: Schema, table: Table, nowMs: number, seq: number): RecordBatch {
  const n = table.length;
  return {
    schema,
    time: new Float64Array(n).fill(nowMs),
    device: Uint16Array.from({ length: n }, (_, i) => i),
    row: new Float64Array(n).fill(seq),
    values: schema.fields.map((_, f) => columnOf(table, f)),
    quality: new Uint16Array(n),
  };
}

function columnOf(table: Table, f: number): Float64Array {
  const column = new Float64Array(table.length);
  for (let i = 0; i < table.length; i++) column[i] = table[i]!.values[f] ?? Number.NaN;
  return column;
}

function rowOf(device: string, cells: readonly Cell[]): Row {
  return { device, values: cells.map(([, , value]) => value) };
}

function collectorRow(
  { collector, gateways, nowMs }: Reading,
  before: Reading | undefined,
  seconds: number | undefined,
): readonly Cell[] {
  const rate = (of: (reading: Reading) => number, now: number) =>
    before && seconds ? Math.max(0, now - of(before)) / seconds : undefined;
  const hops = gateways.flatMap(gateway => gateway.hops ?? []);
  const highest = (values: readonly number[]) =>
    values.length === 0 ? undefined : values.reduce((a, b) => Math.max(a, b));
  const rows = rate(reading => reading.collector.rows, collector.rows);
  const jump = before && seconds ? (nowMs - before.nowMs) / 1000 - seconds : undefined;
  return [
    ['rows_per_second', '1/s', rows],
    ['rows_a_minute', '1/min', rows === undefined ? undefined : 60 * rows],
    ['blocks_per_second', '1/s', rate(reading => reading.collector.blocks, collector.blocks)],
    ['duplicates_per_second', '1/s', rate(reading => reading.collector.duplicates, collector.duplicates)],
    ['dead_letters', undefined, collector.deadLetters],
    ['receipts_per_second', '1/s', rate(reading => reading.collector.receipts, collector.receipts)],
    ['event_delay_p50', 's', highest(hops.map(({ p50S }) => p50S))],
    ['event_delay_p99', 's', highest(hops.map(({ p99S }) => p99S))],
    ['read_delay', 's', highest(hops.map(({ readS }) => readS))],
    ['sent_delay', 's', highest(hops.map(({ sentS }) => sentS))],
    ['ingested_delay', 's', highest(hops.map(({ ingestedS }) => ingestedS))],
    ['queue_share', undefined, collector.queuedBytes / collector.queueMaxBytes],
    ['connections', undefined, collector.connections],
    ['refusals_per_second', '1/s', rate(reading => reading.collector.refusals, collector.refusals)],
    ['broker_up', undefined, collector.broker?.ok ? 1 : 0],
    ['journal_up', undefined, collector.failure === null && collector.blocked === null ? 1 : 0],
    ['gateways_online', undefined, gateways.filter(({ online }) => online).length],
    ['cpu_share', undefined, rate(reading => reading.collector.cpuSeconds, collector.cpuSeconds)],
    ['resident_memory', 'B', collector.rssBytes],
    ['disk_free', 'B', collector.freeBytes],
    ['clock_jump', 's', jump],
  ];
}

function sinkRow(
  sink: SinkReading,
  before: SinkReading | undefined,
  seconds: number | undefined,
): { readonly device: string; readonly cells: readonly Cell[] } {
  const rate = (now: number, then: number | undefined) =>
    then === undefined || !seconds ? undefined : Math.max(0, now - then) / seconds;
  const { lag, readers, failure, state } = sink;
  const writes = before ? sink.writes - before.writes : 0;
  const cells: Cell[] = [
    ['lag_messages', undefined, lag.blocks],
    ['lag_rows', undefined, lag.rows],
    ['lag', 's', lag.seconds],
    ['rows_per_second', '1/s', rate(sink.rowsStored, before?.rowsStored)],
    ['errors_per_second', '1/s', rate(sink.errors, before?.errors)],
    ['refused_rows', undefined, sink.refusedRows],
    [
      'write_time',
      's',
      before && writes > 0 ? (sink.writeSeconds - before.writeSeconds) / writes : undefined,
    ],
    ['up', undefined, failure === null && state !== 'stopped' ? 1 : 0],
    ['consumer_lag_messages', undefined, readers.length === 0 ? undefined : sumOf(readers)],
    ['consumer_lag', 's', readers.length === 0 ? undefined : Math.max(...readers.map(one => one.seconds))],
  ];
  return { device: sinkDevice(sink.name), cells };
}

function sumOf(readers: readonly { readonly messages: number }[]): number {
  return readers.reduce((sum, { messages }) => sum + messages, 0);
}
