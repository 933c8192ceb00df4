/** Which row is of which device. Columns are coded device after device; rows come back in the order they had. */
import type { RecordBatch } from '../contracts.js';
import type { BitReader } from './bit-reader.js';
import type { BitWriter } from './bit-writer.js';
import type { Layout } from './floats.js';
import { Grouping } from './integers.js';
import { corrupt, wireLimits } from './limits.js';
import { places, rowOrder } from './scratch.js';

/** Rows of one device in a block: `count` of first…last, rising. */
export interface BlockDevice {
  /** Into the schema's devices. */
  readonly index: number;
  readonly first: number;
  readonly last: number;
  readonly count: number;
}

/** Of each device, by its index in the schema; −1 = it has no rows so far. */
const placeOf = new Int32Array(wireLimits.maxDevices);
const allGroups = new Grouping();
const next = new Int32Array(wireLimits.maxDevices);

const patterns = { oneByOne: 0, inTurn: 1, mixed: 2 } as const;

/**
 * Fills `places`.
 * @returns devices in the order of their first rows
 * @throws TypeError for a device the schema does not have, or row numbers that do not rise
 */
export function surveyRows({ device, row, schema }: RecordBatch): BlockDevice[] {
  const known = schema.devices.length;
  placeOf.fill(-1, 0, known);
  const found: { index: number; first: number; last: number; count: number }[] = [];
  for (let i = 0; i < device.length; i++) {
    const index = device[i]!;
    const number = row[i]!;
    if (index >= known) throw new TypeError(`row ${i} is of device ${index}, the schema has no such`);
    let place = placeOf[index]!;
    if (place < 0) {
      if (!(Number.isSafeInteger(number) && number >= 0)) throw new TypeError(`${number} is no row number`);
      place = placeOf[index] = found.length;
      found.push({ index, first: number, last: number, count: 1 });
    } else {
      const rows = found[place]!;
      if (!(Number.isSafeInteger(number) && number > rows.last))
        throw new TypeError(`row ${number} of device ${index} comes after ${rows.last}`);
      rows.last = number;
      rows.count += 1;
    }
    places[i] = place;
  }
  return found;
}

/** From `places`; good until the next block. */
export function layoutOf(devices: readonly BlockDevice[], n: number): Layout {
  allGroups.clear();
  for (let place = 0; place < devices.length; place++) {
    next[place] = allGroups.rows;
    allGroups.add(devices[place]!.count);
  }
  if (isOneByOne(n)) return { n, order: undefined, groups: allGroups };
  for (let i = 0; i < n; i++) {
    const place = places[i]!;
    rowOrder[next[place]!] = i;
    next[place]! += 1;
  }
  return { n, order: rowOrder, groups: allGroups };
}

function isOneByOne(n: number): boolean {
  for (let i = 1; i < n; i++) if (places[i]! < places[i - 1]!) return false;
  return true;
}

function areInTurn(n: number, devices: number): boolean {
  for (let i = 0, place = 0; i < n; i++) {
    if (places[i] !== place) return false;
    if (++place === devices) place = 0;
  }
  return true;
}

/** Writes `places`. */
export function writePlaces(out: BitWriter, n: number, devices: number): void {
  if (devices === 1) return;
  if (areInTurn(n, devices)) out.put(patterns.inTurn, 2);
  else if (isOneByOne(n)) out.put(patterns.oneByOne, 2);
  else {
    out.put(patterns.mixed, 2);
    writeMixed(out, n, devices);
  }
}

/** How many rows follow in turn, then the place of the row that does not, and so on. */
function writeMixed(out: BitWriter, n: number, devices: number): void {
  const bits = 32 - Math.clz32(devices - 1);
  for (let i = 1; i <= n; ) {
    const start = i;
    while (i < n && places[i] === (places[i - 1]! + 1) % devices) i++;
    out.count(i - start);
    if (i === n) return;
    out.put(places[i++]!, bits);
  }
}

const counts = new Int32Array(wireLimits.maxDevices);

/** Fills `places`. @throws EW_BLOCK_CORRUPT unless every device gets as many rows as the header says */
export function readPlaces(from: BitReader, devices: readonly BlockDevice[], n: number): void {
  if (devices.length === 1) {
    places.fill(0, 0, n);
    return;
  }
  const pattern = from.get(2);
  if (pattern === patterns.inTurn) for (let i = 0; i < n; i++) places[i] = i % devices.length;
  else if (pattern === patterns.oneByOne) fillOneByOne(devices);
  else if (pattern === patterns.mixed) readMixed(from, n, devices.length);
  else throw corrupt(`there is no order ${pattern} of rows`);
  counts.fill(0, 0, devices.length);
  for (let i = 0; i < n; i++) counts[places[i]!]! += 1;
  for (let place = 0; place < devices.length; place++)
    if (devices[place]!.count !== counts[place])
      throw corrupt('its rows are of other devices than its header says');
}

function fillOneByOne(devices: readonly BlockDevice[]): void {
  for (let place = 0, at = 0; place < devices.length; place++) {
    const { count } = devices[place]!;
    places.fill(place, at, at + count);
    at += count;
  }
}

function readMixed(from: BitReader, n: number, devices: number): void {
  const bits = 32 - Math.clz32(devices - 1);
  places[0] = 0;
  for (let i = 1; i <= n; ) {
    const end = i + from.count();
    if (end > n) throw corrupt('its devices have more rows than it has');
    for (; i < end; i++) places[i] = (places[i - 1]! + 1) % devices;
    if (i === n) return;
    places[i] = from.get(bits);
    if (places[i]! >= devices) throw corrupt('a row is of no device');
    i++;
  }
}
