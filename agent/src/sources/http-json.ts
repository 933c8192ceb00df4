import { didYouMean } from '@edgeward/shared/nearest';
import { parseIso } from './csv-values.js';
import type { CellValue, HttpDevices } from './http-devices.js';
import type { HttpIntake } from './http-intake.js';
import { latestMs } from './http-line-values.js';
import { HttpRefusal, isProblem, type Problem } from './http-problem.js';
import type { Device } from './http-shapes.js';

const keys = ['device', 'type', 'time', 'values'];

/**
 * Reads one row or a list of rows: `{ device, type?, time?, values: { field: number | boolean | text | null } }`.
 * @throws HttpRefusal if it is no JSON, or neither an object nor a list
 */
export function readRows(text: string, devices: HttpDevices, intake: HttpIntake): void {
  const body = parse(text);
  const rows: unknown[] = Array.isArray(body) ? body : [body];
  if (!Array.isArray(body) && !isObject(body))
    throw malformed('it is neither an object nor a list of objects');
  for (const [index, row] of rows.entries()) {
    const refused = readRow(row, index, devices, intake);
    if (refused) intake.refuse({ index }, refused.problem, refused.device);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw malformed(error instanceof Error ? error.message : String(error));
  }
}

function malformed(why: string): HttpRefusal {
  const shape = '{"device":"press-1","values":{"temperature":21.5}}, or a list of these';
  return new HttpRefusal(400, 'EW_HTTP_REQUEST', `The body cannot be read: ${why}. Remedy: send ${shape}.`);
}

const names: string[] = [];
const values: (CellValue | null)[] = [];

interface Refused {
  readonly problem: Problem;
  readonly device?: Device;
}

function readRow(row: unknown, index: number, devices: HttpDevices, intake: HttpIntake): Refused | undefined {
  if (!isObject(row))
    return { problem: { kind: 'syntax', reason: 'a row must be an object', value: show(row) } };
  const misfit = misfitOf(row);
  if (misfit) return { problem: misfit };
  const type = row.type as string | undefined;
  const device = devices.find(row.device as string, type);
  if (isProblem(device)) return { problem: device };
  const timeMs = row.time === undefined ? intake.nowMs : timeOf(row.time);
  const problem = wrongType(device, type) ?? wrongTime(timeMs, row.time) ?? collect(row.values as object);
  if (problem) return { problem: { device: device.name, ...problem }, device };
  intake.add({ index }, device, timeMs, names, values, names.length);
  return undefined;
}

/** What is wrong with the row before its device is known. */
function misfitOf(row: Readonly<Record<string, unknown>>): Problem | undefined {
  for (const key in row) {
    if (keys.includes(key)) continue;
    const reason = `a row has no "${key}".${didYouMean(key, keys)} It has ${keys.join(', ')}`;
    return { kind: 'syntax', reason, value: show(row[key]) };
  }
  if (typeof row.device !== 'string')
    return { kind: 'deviceName', reason: '"device" must be the name of a device', value: show(row.device) };
  if (row.type !== undefined && typeof row.type !== 'string')
    return { kind: 'deviceType', reason: '"type" must be the name of a device type', value: show(row.type) };
  if (!isObject(row.values))
    return { kind: 'syntax', reason: '"values" must be an object: field → value', value: show(row.values) };
  return undefined;
}

function wrongType(device: Device, type: string | undefined): Problem | undefined {
  if (type === undefined || device.type.name === type) return undefined;
  const reason = `device ${device.name} is of type ${device.type.name}. Remedy: leave "type" out, or correct it`;
  return { kind: 'deviceType', reason, value: type };
}

function wrongTime(timeMs: number, given: unknown): Problem | undefined {
  if (!Number.isNaN(timeMs)) return undefined;
  const reason = '"time" must be ms since 1970 or ISO 8601 such as 2026-01-31T12:00:00Z, up to the year 2255';
  return { kind: 'time', reason, value: show(given) };
}

/** @returns ms since Unix epoch, exact to the microsecond; NaN = not a time */
function timeOf(time: unknown): number {
  let timeMs = Number.NaN;
  if (typeof time === 'number') timeMs = time;
  else if (typeof time === 'string') {
    const bytes = Buffer.from(time.trim(), 'latin1');
    timeMs = parseIso(bytes, 0, bytes.length);
  }
  return Math.abs(timeMs) <= latestMs ? Math.round(timeMs * 1000) / 1000 : Number.NaN;
}

/** Into `names` and `values`. */
function collect(given: object): Problem | undefined {
  names.length = 0;
  values.length = 0;
  for (const [field, value] of Object.entries(given) as [string, unknown][]) {
    const kind = typeof value;
    if (value !== null && kind !== 'number' && kind !== 'boolean' && kind !== 'string')
      return {
        kind: 'kind',
        reason: 'a value must be a number, true, false, text or null',
        field,
        value: show(value),
      };
    // JSON has no infinity, but 1e999 is written easily.
    if (kind === 'number' && !Number.isFinite(value))
      return { kind: 'kind', reason: 'the number is too large', field, value: show(value) };
    names.push(field);
    values.push(value as CellValue | null);
  }
  return undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  return typeof value === 'string' ? value : String(JSON.stringify(value)).slice(0, 200);
}
