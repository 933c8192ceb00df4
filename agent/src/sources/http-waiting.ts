/**
 * Requests between their last byte and their answer. Those that arrive while others are being stored wait here and
 * go together next: one block a shape, one synced commit a block.
 */
import type { RecordBatch } from '@edgeward/shared/contracts';
import { type Answer, partly, refusal, stored } from './http-answer.js';
import { mostFields, mostRows } from './http-config.js';
import type { PointError } from './http-intake.js';
import type { KeyWindow } from './http-keys.js';
import type { HttpRefusal } from './http-problem.js';
import { type HttpRows, type RowsToStore, toBlocks, type Unnumbered } from './http-rows.js';
import type { Device } from './http-shapes.js';

export type Reply = (answer: Answer) => void;

export interface WaitingRequest extends RowsToStore {
  readonly rows: HttpRows;
  readonly refused: number;
  readonly errors: readonly PointError[];
  /** Digest of its Idempotency-Key. */
  readonly key: string | undefined;
  /** Whom to tell: its client, and clients that sent the same key meanwhile. */
  readonly replies: Set<Reply>;
}

/** What goes down together. */
export interface Group {
  readonly requests: readonly WaitingRequest[];
  readonly blocks: readonly Unnumbered[];
  /** Blocks that are stored. */
  done: number;
  /** The block that is out, numbered. */
  out: RecordBatch | undefined;
}

/** A value, its missing bit and its quality, at most. */
const cellBytes = 9.125;
/** As many as the largest single request may need: see wireLimits. */
const mostCellBytes = mostRows * mostFields * cellBytes;

export class WaitingRequests {
  readonly #queue: WaitingRequest[] = [];
  readonly #byKey = new Map<string, WaitingRequest>();

  add(request: WaitingRequest): void {
    this.#queue.push(request);
    if (request.key !== undefined) this.#byKey.set(request.key, request);
  }

  withKey(key: string): WaitingRequest | undefined {
    return this.#byKey.get(key);
  }

  /** The client went. Nobody was told yes, so that what has not begun need not be stored. */
  leave(request: WaitingRequest, reply: Reply): void {
    if (!request.replies.delete(reply) || request.replies.size > 0) return;
    const at = this.#queue.indexOf(request);
    if (at < 0) return;
    this.#queue.splice(at, 1);
    this.#forgetKey(request);
  }

  /** None of them has begun to be stored. */
  refuseAll(why: HttpRefusal): void {
    for (const request of this.#queue.splice(0)) {
      this.#forgetKey(request);
      tell(request, refusal(why));
    }
  }

  /** The first of them, as many as fit; undefined if there are none. */
  nextGroup(batchRows: number): Group | undefined {
    if (this.#queue.length === 0) return undefined;
    let [rows, cells, text, take] = [0, 0, 0, 0];
    for (const request of this.#queue) {
      rows += request.rows.count;
      cells = Math.max(cells, widest(request));
      text += request.rows.textBytes;
      const fits = rows <= batchRows && rows * cells * cellBytes + text <= mostCellBytes;
      if (take > 0 && !fits) break;
      take += 1;
    }
    const requests = this.#queue.splice(0, take);
    return { requests, blocks: toBlocks(requests), done: 0, out: undefined };
  }

  /** All its blocks are durable. */
  settle({ requests }: Group): void {
    for (const request of requests) {
      this.#forgetKey(request);
      const { rows, refused, errors } = request;
      tell(request, refused === 0 ? stored : partly(rows.count, refused, errors));
    }
  }

  #forgetKey({ key }: WaitingRequest): void {
    if (key !== undefined) this.#byKey.delete(key);
  }
}

function tell({ replies }: WaitingRequest, answer: Answer): void {
  const told = [...replies];
  replies.clear();
  for (const reply of told) reply(answer);
}

/** Fields of the widest device of the request. */
function widest({ rows }: WaitingRequest): number {
  let most = 0;
  let last: Device | undefined;
  for (const device of rows.devices) {
    if (device === last) continue;
    last = device;
    most = Math.max(most, device.shape.size);
  }
  return most;
}

/**
 * What the keys of a group say once its next block is down. Before the last block, a request is only partly stored:
 * for its retry after a crash, the devices in the blocks that are down are noted.
 */
export function noteKeys({ requests, blocks, done }: Group, keys: KeyWindow): void {
  const last = done === blocks.length - 1;
  const down = new Set(blocks.slice(0, done + 1).flatMap(devicesIn));
  for (const { key, rows, refused, stored: before } of requests) {
    if (key === undefined) continue;
    if (last) keys.complete(key, rows.count, refused);
    else {
      const names = new Set(rows.devices.map(({ name }) => name).filter(name => down.has(name)));
      keys.partly(key, new Set([...(before ?? []), ...names]));
    }
  }
}

function devicesIn({ schema, device }: Unnumbered): string[] {
  return [...new Set(device)].map(index => schema.devices[index]!);
}
