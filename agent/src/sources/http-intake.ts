import type { CellValue, HttpDevices } from './http-devices.js';
import { HttpRefusal, type Problem } from './http-problem.js';
import { HttpRows } from './http-rows.js';
import type { Device } from './http-shapes.js';

/** So many problems are told one by one. */
const toldProblems = 20;
const toldCharacters = 100;
/** Text of one request, as JSON: with its numbers it must fit one block. */
const mostTextBytes = 3 * 1024 * 1024;

/** A point that was refused: `line` of line protocol or `index` of a list, both as the client counts them. */
export interface PointError {
  readonly line?: number;
  readonly index?: number;
  readonly device?: string;
  readonly field?: string;
  readonly value?: string;
  readonly reason: string;
}

/** The points of one request: those that became rows, and why others did not. */
export class HttpIntake {
  readonly nowMs: number;
  readonly rows = new HttpRows();
  readonly errors: PointError[] = [];
  /** Points refused. */
  refused = 0;
  /** Of these, those of known devices: device → reason → count. */
  readonly rejects = new Map<Device, Map<string, number>>();
  readonly #devices: HttpDevices;
  readonly #maxRows: number;
  readonly #ids: number[] = [];

  constructor(devices: HttpDevices, nowMs: number, maxRows: number) {
    this.#devices = devices;
    this.nowMs = nowMs;
    this.#maxRows = maxRows;
  }

  /**
   * @param values  of the first `count` names; they may be changed
   * @throws HttpRefusal if the request is too large for one block
   */
  add(
    place: Pick<PointError, 'line' | 'index'>,
    device: Device,
    timeMs: number,
    names: readonly string[],
    values: (CellValue | null)[],
    count: number,
  ): void {
    const problem =
      this.#devices.fit(device, names, values, count, this.#ids) ??
      (device.heard ? undefined : this.#devices.admit(device));
    if (problem) {
      this.refuse(place, problem, device);
      return;
    }
    this.rows.add(device, timeMs, this.#ids, values, count);
    if (this.rows.count > this.#maxRows) throw tooLarge(`It has more than ${this.#maxRows} points`);
    if (this.rows.textBytes > mostTextBytes)
      throw tooLarge(`It has more than ${mostTextBytes} bytes of text`);
  }

  refuse(place: Pick<PointError, 'line' | 'index'>, problem: Problem, device?: Device): void {
    this.refused += 1;
    const known = device?.heard || device?.declared ? device : undefined;
    if (known) {
      const counts = this.rejects.get(known) ?? new Map<string, number>();
      this.rejects.set(known, counts.set(problem.kind, (counts.get(problem.kind) ?? 0) + 1));
    }
    if (this.errors.length >= toldProblems) return;
    const { kind: _kind, value, ...told } = problem;
    this.errors.push({ ...place, ...told, ...(value !== undefined && { value: cut(value) }) });
  }
}

function tooLarge(what: string): HttpRefusal {
  return new HttpRefusal(413, 'EW_HTTP_REQUEST', `${what}. Remedy: split it into several requests.`);
}

function cut(value: string): string {
  return value.length > toldCharacters ? `${value.slice(0, toldCharacters)}…` : value;
}
