/**
 * Rows of simple publishers, which have no outbox: a microcontroller, or `mosquitto_pub`. Each message becomes blocks
 * of an epoch of the collector's own and goes through the journal as any other; its publisher is answered once it is
 * down. A message that names an `id` may be sent again: it is stored once, as long as its id is among the last
 * thousand of that publisher.
 */
import { BatchBuilder, RowNumbers, type Value } from '@edgeward/shared/batch';
import type { Clock, Field, FieldKind, RecordBatch, Schema } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';
import { Quality } from '@edgeward/shared/quality';
import { textKey } from '@edgeward/shared/store';
import { encodeBlock, readHeader } from '@edgeward/shared/wire';
import { z } from 'zod';
import { GivenTimes } from './given-times.js';
import type { Group } from './intake.js';
import type { Journal } from './journal/journal.js';
import { del, put, type Write } from './journal/layout.js';
import { JsonFault, type JsonRow, parseJsonMessage } from './json-rows.js';
import { jsonOutbox } from './ledger.js';

export interface JsonIntakeOptions {
  readonly journal: Journal;
  /** On the publisher's `receipt` topic. */
  readonly answer: (gateway: string, reply: string) => Promise<void>;
  readonly lateAfterMs: number;
  readonly clock: Clock;
}

const maxIds = 1000;
/** Fields one device may come to have. */
const maxFields = 1024;
const maxShown = 200;

const savedSchema = z.record(
  z.string(),
  z.array(z.object({ name: z.string(), kind: z.enum(['float', 'bool', 'string']) })),
);

interface Device {
  schema: Schema;
  readonly times: GivenTimes;
}

interface Publisher {
  readonly rows: RowNumbers;
  readonly devices: Map<string, Device>;
  /** Ids of the newest messages and the number each is kept under; oldest first. */
  readonly ids: Map<string, number>;
  lastId: number;
  seq: number;
}

export class JsonIntake {
  readonly #options: JsonIntakeOptions;
  readonly #publishers = new Map<string, Publisher>();

  constructor(options: JsonIntakeOptions) {
    this.#options = options;
  }

  /** What publishers were before this start. */
  async open(): Promise<void> {
    const { journal } = this.#options;
    for await (const [gateway, json] of journal.records('j')) {
      const { data } = savedSchema.safeParse(json);
      for (const [device, fields] of Object.entries(data ?? {}))
        this.#of(gateway).devices.set(device, { schema: schemaOf(device, fields), times: new GivenTimes() });
    }
    for await (const [key, json] of journal.records('y')) {
      const [gateway, number] = [key.slice(0, key.indexOf('/')), Number(key.slice(key.indexOf('/') + 1))];
      if (typeof json !== 'string' || !Number.isInteger(number)) continue;
      const publisher = this.#of(gateway);
      publisher.ids.set(json, number);
      publisher.lastId = Math.max(publisher.lastId, number);
    }
  }

  take(group: Group, gateway: string, payload: Uint8Array): void {
    const { answer } = this.#options;
    try {
      const { id, rows } = parseJsonMessage(payload);
      const publisher = this.#of(gateway);
      if (id === undefined || !publisher.ids.has(id)) this.#store(group, gateway, publisher, rows, id);
      group.after.push(() => answer(gateway, JSON.stringify({ ...(id !== undefined && { id }), ok: true })));
    } catch (error) {
      if (!(error instanceof JsonFault)) throw error;
      group.after.push(() => answer(gateway, faultReply(error)));
    }
  }

  #store(
    group: Group,
    gateway: string,
    publisher: Publisher,
    rows: readonly JsonRow[],
    id: string | undefined,
  ): void {
    const byDevice = new Map<string, JsonRow[]>();
    for (const row of rows) getOrMake(byDevice, row.device, () => []).push(row);
    // All are looked at before any is taken: a message is stored whole or not at all.
    const grown = [...byDevice].map(
      ([device, own]) => [device, grownFields(publisher, device, own, id)] as const,
    );
    let changed = false;
    for (const [device, fields] of grown) {
      if (!fields) continue;
      const times = publisher.devices.get(device)?.times ?? new GivenTimes();
      publisher.devices.set(device, { schema: schemaOf(device, fields), times });
      changed = true;
    }
    if (changed) group.writes.push(put(textKey('j', gateway), savedFields(publisher)));
    if (id !== undefined) group.writes.push(...noteId(publisher, gateway, id));
    for (const [device, own] of byDevice) this.#addBlock(group, gateway, publisher, device, own);
  }

  #addBlock(
    group: Group,
    gateway: string,
    publisher: Publisher,
    name: string,
    rows: readonly JsonRow[],
  ): void {
    const { clock, journal, lateAfterMs } = this.#options;
    const device = publisher.devices.get(name)!;
    const batch = batchOf(device, rows, clock, publisher.rows);
    publisher.seq += 1;
    const { epoch } = journal;
    const ingestedMs = clock.now();
    const bytes = encodeBlock({ epoch, seq: publisher.seq, oldestEpoch: epoch, atMs: ingestedMs }, batch);
    const late = ingestedMs - Math.max(...batch.time) > lateAfterMs;
    group.blocks.push({
      gateway,
      outbox: jsonOutbox,
      bytes,
      header: readHeader(bytes),
      batch,
      ingestedMs,
      late,
    });
  }

  #of(gateway: string): Publisher {
    return getOrMake(this.#publishers, gateway, () => ({
      rows: new RowNumbers(),
      devices: new Map<string, Device>(),
      ids: new Map<string, number>(),
      lastId: 0,
      seq: 0,
    }));
  }
}

function schemaOf(device: string, fields: readonly Pick<Field, 'name' | 'kind'>[]): Schema {
  return { type: 'json', fields, devices: [device] };
}

/** The device's fields with what these rows add, undefined if they add none. @throws JsonFault */
function grownFields(publisher: Publisher, device: string, rows: readonly JsonRow[], id: string | undefined) {
  const known = publisher.devices.get(device)?.schema.fields ?? [];
  const kinds = new Map<string, FieldKind>(known.map(({ name, kind }) => [name, kind]));
  for (const { values } of rows)
    for (const [name, value] of values) {
      if (value === null) continue;
      const kind = kindOf(value);
      const was = getOrMake(kinds, name, () => kind);
      if (was !== kind)
        throw new JsonFault(`values.${name}`, value, `is ${said(kind)} and was ${said(was)} until now`, id);
    }
  if (kinds.size > maxFields)
    throw new JsonFault('values', kinds.size, `are more than ${maxFields} fields for device ${device}`, id);
  if (kinds.size === 0) throw new JsonFault('values', null, 'has no field with a value yet', id);
  return kinds.size > known.length ? [...kinds].map(([name, kind]) => ({ name, kind })) : undefined;
}

function kindOf(value: number | boolean | string): FieldKind {
  return typeof value === 'number' ? 'float' : typeof value === 'boolean' ? 'bool' : 'string';
}

function said(kind: FieldKind): string {
  return { float: 'a number', int: 'a number', bool: 'true or false', string: 'a text' }[kind];
}

function batchOf(device: Device, rows: readonly JsonRow[], clock: Clock, numbers: RowNumbers): RecordBatch {
  const builder = new BatchBuilder(
    device.schema,
    { maxRows: rows.length, maxAgeMs: Number.POSITIVE_INFINITY },
    { clock, rows: numbers },
  );
  const moved: number[] = [];
  for (const [i, { timeMs, values }] of rows.entries()) {
    const wantedUs = Math.round((timeMs ?? clock.now()) * 1000);
    const us = device.times.claim(wantedUs);
    if (us !== wantedUs) moved.push(i);
    const cells: Value[] = device.schema.fields.map(({ name }) => values.get(name));
    builder.push(0, us / 1000, cells);
  }
  const batch = builder.take();
  for (const i of moved) batch.quality[i]! |= Quality.timeMoved;
  return batch;
}

function savedFields({ devices }: Publisher): z.input<typeof savedSchema> {
  const fields = [...devices].map(([device, { schema }]) => [device, schema.fields] as const);
  return Object.fromEntries(fields) as z.input<typeof savedSchema>;
}

/** In the commit that stores the message, with the oldest id leaving. */
function noteId(publisher: Publisher, gateway: string, id: string): Write[] {
  publisher.lastId += 1;
  publisher.ids.set(id, publisher.lastId);
  const writes = [put(idKey(gateway, publisher.lastId), id)];
  for (const [oldest, number] of publisher.ids) {
    if (publisher.ids.size <= maxIds) break;
    publisher.ids.delete(oldest);
    writes.push(del(idKey(gateway, number)));
  }
  return writes;
}

function idKey(gateway: string, number: number): Buffer {
  return textKey('y', `${gateway}/${String(number).padStart(15, '0')}`);
}

function faultReply({ id, field, value, reason }: JsonFault): string {
  const shown = JSON.stringify(value ?? null).slice(0, maxShown);
  return JSON.stringify({ ...(id !== undefined && { id }), error: { field, value: shown, reason } });
}
