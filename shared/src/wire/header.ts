/** What a block says of itself before its columns: whose it is, and of which rows of which devices. */
import type { RangeList, TraceContext } from '../contracts.js';
import type { BitReader } from './bit-reader.js';
import type { BitWriter } from './bit-writer.js';
import { readDevices, writeDevices } from './header-devices.js';
import { corrupt, tracedWireVersion, wireLimits, wireVersion } from './limits.js';
import type { BlockDevice } from './row-order.js';
import { TextCache } from './text-cache.js';
import { readTrace, writeTrace } from './trace.js';
import { hexOf, wordsOfHex } from './words.js';

/** What tells one block of a gateway from all others. The gateway is not in it: the topic, the outbox and the journal know. */
export interface BlockId {
  readonly epoch: string;
  readonly seq: number;
  /** The oldest epoch the sender still holds blocks of: what is known of older ones may be condensed. */
  readonly oldestEpoch: string;
  /** When the sender made the block, ms since Unix epoch by its clock. */
  readonly atMs: number;
  /** Seq ranges of this epoch that will never come. */
  readonly voids?: RangeList;
  /** Only while the sender's clock was not known to be right. */
  readonly clock?: BlockClock;
  /** Only of a block that is traced: it makes it one of version 2. */
  readonly trace?: TraceContext;
}

/** Rows of one boot can be moved together once the time is known. */
export interface BlockClock {
  /** 32 hex digits, another at every start of the machine. */
  readonly boot: string;
  /** When the block was made, ms since that start. */
  readonly monotonicMs: number;
}

/** Which rows a block has. */
export interface BlockRows {
  /** Of the `Described` that its rows need to be understood. */
  readonly schemaId: string;
  readonly rows: number;
  /** In the order of their first rows. */
  readonly devices: readonly BlockDevice[];
}

export interface BlockHeader extends BlockId, BlockRows {}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** `<start counter>-<64 random bits>`: order by the counter, uniqueness by the bits. */
export const epochPattern = /^\d{1,15}-[0-9a-f]{16}$/;
const schemaIdPattern = /^[0-9a-f]{16}$/;
const bootPattern = /^[0-9a-f]{32}$/;

/** @throws TypeError for what no decoder would take */
export function writeHeader(out: BitWriter, id: BlockId, { schemaId, rows, devices }: BlockRows): void {
  const { epoch, oldestEpoch, seq, atMs, voids = [], clock, trace } = id;
  if (!(Number.isSafeInteger(seq) && seq >= 1)) throw new TypeError(`${seq} is no seq`);
  out.put(trace ? tracedWireVersion : wireVersion, 8);
  out.flag(oldestEpoch === epoch);
  out.flag(voids.length > 0);
  out.flag(clock !== undefined);
  writeEpoch(out, epoch);
  if (oldestEpoch !== epoch) writeEpoch(out, oldestEpoch);
  out.count(seq);
  writeMs(out, atMs);
  if (voids.length > 0) writeVoids(out, voids);
  if (clock) {
    writeHex(out, expect(bootPattern, clock.boot));
    writeMs(out, clock.monotonicMs);
  }
  if (trace) writeTrace(out, trace);
  writeSchemaId(out, schemaId);
  out.count(rows);
  writeDevices(out, devices);
}

/** @param place  is told at which bit the context of a trace stands, or would  @throws EW_BLOCK_CORRUPT */
export function parseHeader(from: BitReader, place?: { traceAt: number }): BlockHeader {
  const version = from.get(8);
  const isOldest = from.flag();
  const hasVoids = from.flag();
  const hasClock = from.flag();
  const epoch = readEpoch(from);
  const oldestEpoch = isOldest ? epoch : readEpoch(from);
  const seq = from.countUpTo(Number.MAX_SAFE_INTEGER, 'as a seq');
  if (seq === 0) throw corrupt('0 is no seq');
  const atMs = readMs(from);
  const voids = hasVoids ? readVoids(from) : undefined;
  const clock = hasClock ? { boot: readBoot(from), monotonicMs: readMs(from) } : undefined;
  if (place) place.traceAt = from.at;
  const trace = version === tracedWireVersion ? readTrace(from) : undefined;
  const schemaId = readSchemaId(from);
  const rows = from.countUpTo(wireLimits.maxRows, 'rows');
  const devices = readDevices(from, rows);
  const header: Mutable<BlockHeader> = { epoch, seq, oldestEpoch, atMs, schemaId, rows, devices };
  if (voids) header.voids = voids;
  if (clock) header.clock = clock;
  if (trace) header.trace = trace;
  return header;
}

function expect(pattern: RegExp, text: string): string {
  if (!pattern.test(text)) throw new TypeError(`${JSON.stringify(text)} does not match ${pattern.source}`);
  return text;
}

/** Mostly the one written last. */
let parsed = { epoch: '', digits: 0, counter: 0, words: [0, 0] };

/** The counter may have zeros before it: how many digits, then its value. */
function writeEpoch(out: BitWriter, epoch: string): void {
  if (epoch !== parsed.epoch) {
    const [counter, random] = expect(epochPattern, epoch).split('-') as [string, string];
    parsed = { epoch, digits: counter.length, counter: Number(counter), words: wordsOfHex(random) };
  }
  out.put(parsed.digits, 4);
  out.count(parsed.counter);
  for (const word of parsed.words) out.put(word, 32);
}

/** Mostly the one written last, too. */
let parsedSchema = { schemaId: '', words: [0, 0] };

function writeSchemaId(out: BitWriter, schemaId: string): void {
  if (schemaId !== parsedSchema.schemaId)
    parsedSchema = { schemaId, words: wordsOfHex(expect(schemaIdPattern, schemaId)) };
  for (const word of parsedSchema.words) out.put(word, 32);
}

/** Of blocks read before: those of one gateway are alike, and to make its text anew would cost more than the rest. */
const epochs = new TextCache();
const schemaIds = new TextCache();

function readEpoch(from: BitReader): string {
  const digits = from.get(4);
  const count = from.count();
  const high = from.get(32);
  const low = from.get(32);
  const known = epochs.get(high, low, count, digits);
  if (known !== undefined) return known;
  const counter = String(count).padStart(digits, '0');
  if (digits === 0 || counter.length !== digits) throw corrupt('its epoch is none');
  return epochs.keep(high, low, count, digits, `${counter}-${hexOf(high)}${hexOf(low)}`);
}

function readSchemaId(from: BitReader): string {
  const high = from.get(32);
  const low = from.get(32);
  return schemaIds.get(high, low, 0, 0) ?? schemaIds.keep(high, low, 0, 0, hexOf(high) + hexOf(low));
}

function readBoot(from: BitReader): string {
  let boot = '';
  for (let w = 0; w < 4; w++) boot += hexOf(from.get(32));
  return boot;
}

function writeHex(out: BitWriter, hex: string): void {
  for (const word of wordsOfHex(hex)) out.put(word, 32);
}

const double = new Float64Array(1);
const doubleWords = new Uint32Array(double.buffer);

/** Whole ms as such, others as the bits of a float64. */
function writeMs(out: BitWriter, ms: number): void {
  if (!Number.isFinite(ms)) throw new TypeError(`${ms} is no time`);
  const whole = Number.isSafeInteger(ms) && !Object.is(ms, -0);
  out.flag(whole);
  if (whole) out.signed(ms);
  else {
    double[0] = ms;
    for (const bits of doubleWords) out.put(bits, 32);
  }
}

function readMs(from: BitReader): number {
  if (from.flag()) return from.signed();
  doubleWords[0] = from.get(32);
  doubleWords[1] = from.get(32);
  if (!Number.isFinite(double[0])) throw corrupt('a time in its header is none');
  return double[0]!;
}

/** Of each range the distance to the one before, and its length. */
function writeVoids(out: BitWriter, voids: RangeList): void {
  if (voids.length > wireLimits.maxVoids) throw new TypeError(`${voids.length} voids are too many`);
  out.count(voids.length);
  let before = -1;
  for (const [from, through] of voids) {
    if (!(Number.isSafeInteger(through) && from >= before + 2 && from <= through))
      throw new TypeError(`${from}…${through} is no void after ${before}`);
    out.count(from - before - 2);
    out.count(through - from);
    before = through;
  }
}

function readVoids(from: BitReader): RangeList {
  const count = from.countUpTo(wireLimits.maxVoids, 'voids');
  const voids: [number, number][] = [];
  let before = -1;
  for (let i = 0; i < count; i++) {
    const first = before + 2 + from.count();
    before = first + from.count();
    if (!Number.isSafeInteger(before)) throw corrupt('a void in it has no end');
    voids.push([first, before]);
  }
  if (count === 0) throw corrupt('it has no voids where it says so');
  return voids;
}
