/**
 * Which dead letters of a sink were deleted: how many, and whose rows they had, so that an audit explains just these.
 * Bounded: of too many ranges, neighbours are told as one, with how many of its rows were deleted.
 */
import type { RangeList } from '@edgeward/shared/contracts';
import { z } from 'zod';
import { countOf } from './letter-shelf.js';
import type { RowNumbers } from './refused-rows.js';
import type { SkippedRows } from './sink-book.js';
import type { SinkLetter } from './sink-letter.js';

/** First and last row number, and how many of these. */
export const goneSpans = z.record(
  z.string(),
  z.record(z.string(), z.array(z.tuple([z.number(), z.number(), z.number()]))),
);

/** By `gateway/epoch` and device, in order. */
export type GoneSpans = z.output<typeof goneSpans>;
type Span = [first: number, last: number, count: number];

export const goneSchema = z.object({
  letters: z.number(),
  rows: z.number(),
  lastMs: z.number(),
  /** Absent: they were deleted before it was noted. */
  spans: goneSpans.default({}),
});

/** Letters of a sink that were deleted: for want of room, or by hand. */
export type GoneLetters = z.output<typeof goneSchema>;

/** The record is written anew with each deletion. */
const maxSpans = 1000;

/** @param rows  of these letters, by `gateway/epoch` and device */
export function goneWith(
  before: GoneLetters | undefined,
  letters: readonly SinkLetter[],
  rows: Readonly<Record<string, RowNumbers>>,
  lastMs: number,
): GoneLetters {
  const count = [...countOf(letters).values()][0] ?? { letters: 0, rows: 0 };
  const spans: GoneSpans = { ...before?.spans };
  for (const [key, devices] of Object.entries(rows)) {
    const own = { ...spans[key] };
    for (const [device, ranges] of Object.entries(devices)) own[device] = melted(own[device] ?? [], ranges);
    spans[key] = own;
  }
  return {
    letters: (before?.letters ?? 0) + count.letters,
    rows: (before?.rows ?? 0) + count.rows,
    lastMs,
    spans: bounded(spans),
  };
}

/** Those whose numbers are known one by one. */
export function exactRows({ spans }: GoneLetters): SkippedRows {
  const exact: Record<string, Record<string, [number, number][]>> = {};
  for (const [key, devices] of Object.entries(spans))
    for (const [device, list] of Object.entries(devices)) {
      const ranges = list.flatMap(([first, last, n]): [number, number][] =>
        n === last - first + 1 ? [[first, last]] : [],
      );
      if (ranges.length > 0) exact[key] = { ...exact[key], [device]: ranges };
    }
  return exact;
}

/** In order; what overlaps is one, and so are neighbours of which all rows were deleted. */
function melted(spans: readonly Span[], ranges: RangeList): Span[] {
  const added = ranges.map(([first, last]): Span => [first, last, last - first + 1]);
  const melt: Span[] = [];
  for (const span of [...spans, ...added].sort((a, b) => a[0] - b[0])) {
    const last = melt.at(-1);
    if (last && (span[0] <= last[1] || (span[0] === last[1] + 1 && isExact(last) && isExact(span))))
      melt[melt.length - 1] = joined(last, span);
    else melt.push(span);
  }
  return melt;
}

function joined(one: Span, other: Span): Span {
  const last = Math.max(one[1], other[1]);
  return [one[0], last, Math.min(one[2] + other[2], last - one[0] + 1)];
}

function isExact([first, last, count]: Span): boolean {
  return count === last - first + 1;
}

/** If there are too many: pairs of neighbours become one; where that is not enough, what came first goes. */
function bounded(spans: GoneSpans): GoneSpans {
  let rest = spans;
  for (let n = sizeOf(rest); n > maxSpans; ) {
    rest = mapped(rest, list => list.flatMap((span, i) => paired(span, i, list)));
    if (sizeOf(rest) === n) rest = Object.fromEntries(Object.entries(rest).slice(1));
    n = sizeOf(rest);
  }
  return rest;
}

function paired(span: Span, i: number, list: readonly Span[]): Span[] {
  if (i % 2 === 1) return [];
  const next = list[i + 1];
  return [next ? joined(span, next) : span];
}

function mapped(spans: GoneSpans, act: (list: readonly Span[]) => Span[]): GoneSpans {
  return Object.fromEntries(
    Object.entries(spans).map(([key, devices]) => [
      key,
      Object.fromEntries(Object.entries(devices).map(([device, list]) => [device, act(list)])),
    ]),
  );
}

function sizeOf(spans: GoneSpans): number {
  return Object.values(spans)
    .flatMap(devices => Object.values(devices))
    .reduce((sum, list) => sum + list.length, 0);
}
