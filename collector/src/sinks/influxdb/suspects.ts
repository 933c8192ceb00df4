/** Which lines a partial write most likely speaks of, so that the rest passes at once. Wrong guesses cost requests. */
import { escapeKey, escapeMeasurement } from './names.js';
import type { Points } from './points.js';

export function suspectsOf(points: Points, lines: readonly number[], reason: string): Set<number> {
  const test = conflictTest(reason) ?? retentionTest(reason);
  return new Set(test ? lines.filter(line => test(points.line(line))) : []);
}

type LineTest = (line: Buffer) => boolean;

const conflict =
  /input field "([^"\\]+)" on measurement "([^"\\]+)" is type (\w+), already exists as type \w+/;

/** A field that the bucket knows with another type. */
function conflictTest(reason: string): LineTest | undefined {
  const [, field, measurement, type] = conflict.exec(reason) ?? [];
  if (field === undefined || measurement === undefined) return undefined;
  const head = Buffer.from(escapeMeasurement(measurement));
  const [first, later] = [' ', ','].map(mark => Buffer.from(`${mark}${escapeKey(field)}=`));
  return line => {
    if (line.compare(head, 0, head.length, 0, head.length) !== 0) return false;
    const at = [first!, later!].map(key => [line.indexOf(key), key.length] as const).find(([i]) => i >= 0);
    return at !== undefined && typeAt(line, at[0] + at[1]) === type;
  };
}

/** Of a value, in the server's words. */
function typeAt(line: Buffer, at: number): string {
  const first = String.fromCharCode(line[at] ?? 0);
  if (first === '"') return 'string';
  if (/[tf]/i.test(first)) return 'boolean';
  const ends = [',', ' '].map(mark => line.indexOf(mark, at)).filter(end => end >= 0);
  return line[Math.min(...ends) - 1] === 0x69 ? 'integer' : 'float';
}

/** Points older than the bucket keeps any. */
function retentionTest(reason: string): LineTest | undefined {
  const bound = /violates a Retention Policy Lower Bound at (\S+?)(?:,| dropped=|$)/.exec(reason)?.[1];
  const boundUs = Date.parse(bound ?? '') * 1000;
  if (!Number.isFinite(boundUs)) return undefined;
  return line => Number(line.subarray(line.lastIndexOf(' ') + 1).toString('latin1')) < boundUs;
}
