/** One dead letter of a sink, and how it is made and read. */
import { createHash } from 'node:crypto';
import type { Delivery, Described, Note } from '@edgeward/shared/contracts';
import { selectRows } from '@edgeward/shared/select-rows';
import { decodeBlock, encodeBlock } from '@edgeward/shared/wire';
import { z } from 'zod';
import { parseJson } from './layout.js';
import { bytesIn, factsIn } from './letter-value.js';
import { placesBeside, type RefusedRows, rowNumbers } from './refused-rows.js';

const common = { sink: z.string(), gateway: z.string(), reason: z.string(), atMs: z.number() };

const rowFacts = z.object({
  kind: z.literal('rows'),
  ...common,
  epoch: z.string(),
  seq: z.number(),
  position: z.number(),
  ingestedMs: z.number(),
  late: z.boolean(),
  site: z.string().optional(),
  /** How many. */
  rows: z.number(),
  devices: z.record(z.string(), z.array(z.tuple([z.number(), z.number()]))),
});

const noteFacts = z.object({
  kind: z.literal('note'),
  ...common,
  feed: z.enum(['incident', 'event']),
  store: z.string(),
  number: z.number(),
});

export const letterFacts = z.discriminatedUnion('kind', [rowFacts, noteFacts]);

export type LetterFacts = z.output<typeof letterFacts>;
type RowFacts = z.output<typeof rowFacts>;

export type SinkLetter = LetterFacts & {
  /** Hash of what it is about: the same refusal again has the same. */
  readonly id: string;
  /** About, with what it takes in memory. */
  readonly bytes: number;
};

/** What is replayed. */
export interface LetterContent {
  readonly deliveries: readonly Delivery[];
  readonly notes: readonly Note[];
}

/** Not yet stored. */
export interface NewLetter<Facts = LetterFacts> {
  readonly id: string;
  readonly facts: Facts;
  readonly content: Uint8Array;
}

export const maxReason = 500;
const overheadBytes = 512;

/** @param places  of its rows in the batch */
export function rowLetter(
  sink: string,
  delivery: Delivery,
  places: readonly number[],
  reason: string,
  atMs: number,
): NewLetter<RowFacts> {
  const { gateway, epoch, seq, position, ingestedMs, late, site } = delivery;
  const isWhole = places.length === delivery.batch.time.length;
  const batch = isWhole ? delivery.batch : selectRows(delivery.batch, Uint32Array.from(places));
  const devices = rowNumbers(batch);
  const name = { sink, gateway, epoch, seq };
  return {
    id: hashOf([name, devices]),
    facts: {
      kind: 'rows',
      ...name,
      position,
      ingestedMs,
      late,
      ...(site !== undefined && { site }),
      rows: places.length,
      devices: devices as Record<string, [number, number][]>,
      reason: reason.slice(0, maxReason),
      atMs,
    },
    content: encodeBlock({ epoch, seq, oldestEpoch: epoch, atMs: ingestedMs }, batch),
  };
}

export function noteLetter(sink: string, note: Note, reason: string, atMs: number): NewLetter {
  const { feed, store, number, gateway } = note;
  const name = { sink, feed, store, number };
  return {
    id: noteLetterId(sink, note),
    facts: { kind: 'note', ...name, gateway, reason: reason.slice(0, maxReason), atMs },
    content: Buffer.from(JSON.stringify(note), 'utf8'),
  };
}

export function noteLetterId(sink: string, { feed, store, number }: Note): string {
  return hashOf([{ sink, feed, store, number }]);
}

export function sizeOf(content: Uint8Array): number {
  return content.length + overheadBytes;
}

/** Undefined for what is none. */
export function readLetter(id: string, value: Buffer): SinkLetter | undefined {
  const facts = letterFacts.safeParse(factsIn(value)).data;
  return facts && { id, ...facts, bytes: sizeOf(bytesIn(value)) };
}

/**
 * @param but  rows that another letter has by now
 * @throws what `decodeBlock` throws
 */
export function contentOf(
  facts: LetterFacts,
  bytes: Uint8Array,
  describedOf: (id: string) => Described | undefined,
  but: RefusedRows,
): LetterContent {
  if (facts.kind === 'note') return { deliveries: [], notes: [parseJson(Buffer.from(bytes)) as Note] };
  const { gateway, epoch, seq, position, ingestedMs, late, site } = facts;
  const { batch } = decodeBlock(bytes, describedOf);
  const kept = placesBeside(batch, [...batch.row.keys()], but);
  if (kept.length === 0) return { deliveries: [], notes: [] };
  const rest = kept.length === batch.row.length ? batch : selectRows(batch, Uint32Array.from(kept));
  const own = { gateway, epoch, seq, position, ingestedMs, late, ...(site !== undefined && { site }) };
  return { deliveries: [{ ...own, batch: rest }], notes: [] };
}

function hashOf(name: unknown): string {
  return createHash('sha256').update(JSON.stringify(name)).digest('hex').slice(0, 32);
}
