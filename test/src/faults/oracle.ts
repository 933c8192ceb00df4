/** The judge: what was stored, held against what was there to be stored. */
import assert from 'node:assert/strict';
import { getOrMake } from '@edgeward/shared/maps';
import type { StoredRow } from '../support/sink-rows.js';
import { checkOf, type Expected } from './recording.js';

export interface Verdict {
  /** Readings of the recording that the sink does not have. */
  readonly missing: readonly string[];
  /** Readings that it has more than once. */
  readonly doubled: readonly string[];
  /** Rows that nobody fed in, or whose values are not as they were. */
  readonly unknown: readonly string[];
  /** (gateway, epoch, device, row) that stand for more than one row. */
  readonly reused: readonly string[];
  /** Devices whose rows of one epoch came in more than the two orders that live and backlog lane make. */
  readonly disordered: readonly string[];
}

/** Live and backlog, each in order. */
const lanes = 2;

export function judge(expected: Expected, rows: readonly StoredRow[]): Verdict {
  const seen = new Map<string, number>();
  const ids = new Map<string, number>();
  const unknown: string[] = [];
  for (const row of rows) {
    const name = `${row.device}/${row.values.n}`;
    if (isGenuine(expected, row)) count(seen, name);
    else unknown.push(`${name} (${JSON.stringify(row)})`);
    count(ids, `${row.gateway}/${row.epoch}/${row.device}/${row.row}`);
  }
  return {
    missing: namesOf(expected).filter(name => !seen.has(name)),
    doubled: repeated(seen),
    unknown,
    reused: repeated(ids),
    disordered: disorderedDevices(rows),
  };
}

export const faults = (verdict: Partial<Verdict>): string[] =>
  Object.entries(verdict)
    .filter(([, names]) => names.length > 0)
    .map(([what, names]) => `${names.length} ${what}: ${names.slice(0, 5).join(', ')}`);

/** Every reading exactly once, in order, and nothing else. */
export function assertExactlyOnce(expected: Expected, rows: readonly StoredRow[]): void {
  assert.deepEqual(faults(judge(expected, rows)), []);
}

function isGenuine({ devices, rowsPerDevice }: Expected, { device, values }: StoredRow): boolean {
  const index = devices.indexOf(device);
  const { n } = values;
  if (index < 0 || typeof n !== 'number' || !Number.isInteger(n) || n < 0 || n >= rowsPerDevice) return false;
  return values.check === checkOf(index, n);
}

function namesOf({ devices, rowsPerDevice }: Expected): string[] {
  return devices.flatMap(device => Array.from({ length: rowsPerDevice }, (_, n) => `${device}/${n}`));
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

function repeated(counts: ReadonlyMap<string, number>): string[] {
  return [...counts].filter(([, times]) => times > 1).map(([name]) => name);
}

/** Rows that fall into k rising sequences have no falling one longer than k (Dilworth). */
function disorderedDevices(rows: readonly StoredRow[]): string[] {
  const orders = new Map<string, number[]>();
  for (const { gateway, epoch, device, row } of rows)
    getOrMake(orders, `${gateway}/${epoch}/${device}`, () => [] as number[]).push(row);
  return [...orders].filter(([, numbers]) => risingSequences(numbers) > lanes).map(([name]) => name);
}

/** The least number of rising sequences that the numbers fall into: each goes behind the nearest lower end. */
function risingSequences(numbers: readonly number[]): number {
  const ends: number[] = [];
  for (const n of numbers) {
    const lower = ends.filter(end => end < n);
    if (lower.length === 0) ends.push(n);
    else ends[ends.indexOf(Math.max(...lower))] = n;
  }
  return ends.length;
}
