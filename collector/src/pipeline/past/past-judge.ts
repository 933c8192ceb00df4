/**
 * What rules do not say: a device of the pipeline that is unlike its own past for minutes. Rules go first: where one has
 * something to say, or everything is disturbed, nothing is said here, and nothing learned.
 */

import { type DeviceMemory, readBack, written } from '@edgeward/models/memory';
import type { Delivery, RecordBatch } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';
import type { Finding } from '../finding.js';
import { type Feature, featuresOf, type PipelineType } from './features.js';
import { findingOf } from './finding.js';
import { WatchedDevice } from './watched-device.js';

/** Each takes some 8 kB. */
const mostDevices = 5000;
/** One that has not come for so long is forgotten. */
const forgottenMs = 30 * 86_400_000;
const forgetEveryMs = 3_600_000;
/** Looks at a gateway with backlog, or without it, say nothing of its usual; nor do the minutes after. */
const settlesMs = 2 * 60_000;
const quietS = 30;
/** Gateways that are out together are told together: so long after the last of them, at the latest after the first. */
const waits = { lastMs: 2 * 60_000, firstMs: 10 * 60_000 };

export interface PastLook {
  /** Rows of this look. */
  readonly rows: readonly Delivery[];
  readonly nowMs: number;
  /** Devices that a rule has something to say of. */
  readonly told: ReadonlySet<string>;
  /** So is everybody. */
  readonly isDisturbed: boolean;
  readonly siteOf: (gateway: string) => string | null;
}

export interface PastMemory {
  readonly type: string;
  readonly revision: string;
  readonly devices: readonly DeviceMemory[];
}

export class PastJudge {
  readonly #types = new Map<PipelineType, Map<string, WatchedDevice>>();
  readonly #unsettled = new Map<string, number>();
  #count = 0;
  #forgotAtMs = Number.NEGATIVE_INFINITY;

  judge(look: PastLook): Finding[] {
    for (const { batch } of look.rows) this.#note(batch, look);
    const found: Finding[] = [];
    const isWaiting = this.#waits(look.nowMs);
    const isSlowHere = this.#isOut('pipeline-collector', 'ingested_delay');
    for (const { batch } of look.rows) {
      const type = batch.schema.type as PipelineType;
      for (const name of batch.schema.devices) {
        const device = this.#types.get(type)?.get(name);
        if (device?.sinceMs === undefined || look.isDisturbed || look.told.has(name)) continue;
        if (type === 'pipeline-gateway' && isWaiting && !device.isTold) continue;
        device.isTold = true;
        // Then it is not the gateways' part of the way that takes long.
        const leaveOut = isSlowHere && type === 'pipeline-gateway' ? 'event_delay_p99' : undefined;
        const site = type === 'pipeline-gateway' ? look.siteOf(name) : null;
        const finding = findingOf({ type, name, site, device, nowMs: look.nowMs, leaveOut });
        if (finding) found.push(finding);
      }
    }
    return found;
  }

  /** In parts of at most so many devices. */
  *save(atOnce: number): Generator<PastMemory> {
    for (const [type, devices] of this.#types) {
      const known = [...devices].filter(([, { newestMs }]) => Number.isFinite(newestMs));
      const revision = revisionOf(featuresOf[type]);
      for (let from = 0; from < known.length; from += atOnce)
        yield { type, revision, devices: known.slice(from, from + atOnce).map(memoryOf) };
    }
  }

  /** Goes on where another was. @throws RangeError for what it cannot be; what was read by then is as it was */
  load(memories: readonly PastMemory[], nowMs: number): void {
    for (const { type, revision, devices } of memories) {
      const features = featuresOf[type as PipelineType] as readonly Feature[] | undefined;
      if (!features || revision !== revisionOf(features)) continue;
      const known = getOrMake(this.#types, type as PipelineType, () => new Map<string, WatchedDevice>());
      for (const { name, newestMs, numbers } of devices) {
        if (Math.abs(nowMs - newestMs) > forgottenMs || this.#count >= mostDevices) continue;
        const device = new WatchedDevice(features, this.#offsetMs());
        readBack(numbers, memory => device.remember(memory));
        device.resume(newestMs, nowMs);
        if (!known.has(name)) this.#count += 1;
        known.set(name, device);
      }
    }
  }

  #note(batch: RecordBatch, look: PastLook): void {
    const type = batch.schema.type as PipelineType;
    const features: readonly Feature[] = featuresOf[type];
    const columnOf = (name: string) => batch.schema.fields.findIndex(field => field.name === name);
    const columns = features.map(({ field }) => columnOf(field));
    const isAway = type === 'pipeline-gateway' ? awayIn(batch, columnOf) : () => false;
    const known = getOrMake(this.#types, type, () => new Map<string, WatchedDevice>());
    for (const [row, name] of batch.schema.devices.entries()) {
      const device = known.get(name) ?? this.#begin(known, name, features, look.nowMs);
      if (!device) continue;
      // A rule knows better, and what a rule tells is not usual.
      if (look.told.has(name)) this.#unsettled.set(name, look.nowMs);
      else if (look.isDisturbed) {
        device.skip();
        continue;
      } else if (isAway(row)) this.#unsettled.set(name, look.nowMs);
      else if (this.#isSettled(name, look.nowMs)) {
        for (const [f, column] of columns.entries()) device.add(f, batch.values[column]![row] as number);
        device.look(look.nowMs);
        continue;
      }
      device.leave();
    }
  }

  #isSettled(name: string, nowMs: number): boolean {
    const awayMs = this.#unsettled.get(name);
    if (awayMs === undefined) return true;
    if (Math.abs(nowMs - awayMs) <= settlesMs) return false;
    this.#unsettled.delete(name);
    return true;
  }

  #begin(
    known: Map<string, WatchedDevice>,
    name: string,
    features: readonly Feature[],
    nowMs: number,
  ): WatchedDevice | undefined {
    if (this.#count >= mostDevices && Math.abs(nowMs - this.#forgotAtMs) > forgetEveryMs) this.#forget(nowMs);
    if (this.#count >= mostDevices) return undefined;
    const device = new WatchedDevice(features, this.#offsetMs());
    known.set(name, device);
    this.#count += 1;
    return device;
  }

  #waits(nowMs: number): boolean {
    let [firstMs, lastMs] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const { sinceMs, isTold } of this.#types.get('pipeline-gateway')?.values() ?? [])
      if (sinceMs !== undefined && !isTold) {
        firstMs = Math.min(firstMs, sinceMs);
        lastMs = Math.max(lastMs, sinceMs);
      }
    return nowMs - lastMs < waits.lastMs && nowMs - firstMs < waits.firstMs;
  }

  /** Minutes of some begin at each look. */
  #offsetMs(): number {
    return (this.#count % 12) * 5000;
  }

  #forget(nowMs: number): void {
    this.#forgotAtMs = nowMs;
    for (const devices of this.#types.values())
      for (const [name, { newestMs }] of devices)
        if (nowMs - newestMs > forgottenMs && devices.delete(name)) this.#count -= 1;
  }

  #isOut(type: PipelineType, field: string): boolean {
    for (const device of this.#types.get(type)?.values() ?? [])
      if (device.out().some(f => device.features[f]!.field === field)) return true;
    return false;
  }
}

function memoryOf([name, device]: readonly [string, WatchedDevice]): DeviceMemory {
  return { name, newestMs: device.newestMs, numbers: written(memory => device.remember(memory)) };
}

/** What is remembered is only of use to who looks at the same. */
function revisionOf(features: readonly Feature[]): string {
  return features.map(({ field, floor }) => `${field}+${floor}`).join(' ');
}

/** It is not there, or sends what had waited. */
function awayIn(batch: RecordBatch, columnOf: (name: string) => number): (row: number) => boolean {
  const [silent, online, late] = ['silent', 'online', 'late_rows'].map(name => batch.values[columnOf(name)]!);
  return row => !((silent![row] as number) <= quietS) || online![row] !== 1 || (late![row] as number) > 0;
}
