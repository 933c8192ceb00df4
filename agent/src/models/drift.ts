/**
 * Drift watches of all device types. What was told is kept on disk with every change, for any version to read, and what
 * was counted once an hour and at the end: to see a drift takes a day, so a restart should cost less than that, and is no
 * reason to call one over.
 */
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Card } from '@edgeward/models/card';
import { DriftWatch, type SeenDrift } from '@edgeward/models/drift';
import type { Judgement } from '@edgeward/models/judgement';
import { type ModelMemory, packState, unpackState } from '@edgeward/models/scorer-state';
import {
  type Clock,
  type DeviceDrift,
  type DriftingChannel,
  maxReportedDrifts,
  type RecordBatch,
} from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import { isAbsent, writeFileAtomic } from '@edgeward/shared/files';
import type { Logger } from '@edgeward/shared/log';
import { z } from 'zod';
import type { Notice } from './open-models.js';

/** As many as a collector takes in a report. */
const maxChannels = 16;
const keepEveryMs = 3_600_000;
/** A device that sends nothing for longer is gone: machines stand still over holidays. */
const goneAfterMs = 7 * 24 * 3_600_000;
/** Some 4 kB a device; no start shall read more. */
const maxCountsBytes = 64 * 1024 * 1024;

const savedSchema = z.array(
  z.object({
    type: z.string(),
    revision: z.string(),
    device: z.string(),
    seenMs: z.number().exactOptional(),
    channels: z.array(
      z.object({
        field: z.string().nullable(),
        share: z.number(),
        expected: z.tuple([z.number(), z.number()]),
        median: z.number().nullable(),
        sinceMs: z.number(),
      }),
    ),
  }),
);

export interface DriftDeskOptions {
  readonly dataDir: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onEvent: (event: Notice) => void;
}

export class DriftDesk {
  readonly #options: DriftDeskOptions;
  readonly #watches = new Map<string, DriftWatch>();
  /** Device type → what was told of it last. */
  readonly #told = new Map<string, readonly SeenDrift[]>();
  /** Of types of which no row has come since the start. */
  #before: readonly SeenDrift[];
  /** The same: what was counted. */
  #counts: readonly ModelMemory[];
  #saving: Promise<void> = Promise.resolve();

  private constructor(
    options: DriftDeskOptions,
    before: readonly SeenDrift[],
    counts: readonly ModelMemory[],
  ) {
    this.#options = options;
    this.#before = before;
    this.#counts = counts;
  }

  /** Never fails: what cannot be read is as good as not there. */
  static async open(options: DriftDeskOptions): Promise<DriftDesk> {
    const { log, clock } = options;
    const before = await readTold(toldFile(options), clock.now());
    const counts = await readCounts(countsFile(options)).catch((error: unknown) => {
      log.warn({ error: messageOf(error) }, 'drift is counted anew: what was saved of it cannot be used');
      return [];
    });
    return new DriftDesk(options, before, counts);
  }

  /** Looks after what is kept, once an hour until stop. */
  async run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      await this.#options.clock.sleep(keepEveryMs, stop);
      this.#keep();
    }
  }

  /** @param revisions  device type → the one in use: drifts from another one are no longer of interest */
  drifts(revisions: Readonly<Record<string, string>>): DeviceDrift[] {
    return this.#all()
      .filter(({ type, revision }) => revisions[type] === revision)
      .slice(0, maxReportedDrifts)
      .map(({ seenMs: _, ...drift }) => ({ ...drift, channels: drift.channels.slice(0, maxChannels) }));
  }

  /** Of a batch that a model has judged. */
  readonly take = (batch: RecordBatch, judgement: Judgement, card: Card): void => {
    try {
      const watch = this.#of(card);
      if (!watch.take(batch, judgement, this.#options.clock.now())) return;
      const drifts = watch.drifts();
      this.#tell(this.#told.get(card.deviceType) ?? [], drifts);
      this.#told.set(card.deviceType, drifts);
      this.#saveTold();
    } catch (error) {
      // Readings matter more: they go their way, whatever is wrong here.
      this.#options.log.error({ type: card.deviceType, err: error }, 'drift could not be watched');
    }
  };

  /** Resolves when all is on disk, or cannot be. */
  async close(): Promise<void> {
    this.#keep();
    await this.#saving;
  }

  #of(card: Card): DriftWatch {
    const { deviceType, revision } = card;
    const known = this.#watches.get(deviceType);
    if (known?.card.revision === revision) return known;
    const watch = this.#begun(card);
    this.#before = this.#before.filter(({ type }) => type !== deviceType);
    this.#counts = this.#counts.filter(({ type }) => type !== deviceType);
    this.#watches.set(deviceType, watch);
    this.#told.set(deviceType, watch.drifts());
    return watch;
  }

  #begun(card: Card): DriftWatch {
    const { deviceType, revision } = card;
    const drifts = this.#before;
    const counts = this.#counts.find(one => one.type === deviceType && one.revision === revision);
    try {
      return new DriftWatch(card, { drifts, devices: counts?.devices ?? [] });
    } catch (error) {
      this.#options.log.warn({ type: deviceType, error: messageOf(error) }, 'drift is counted anew');
      return new DriftWatch(card, { drifts, devices: [] });
    }
  }

  /** Devices that are gone go, and all is written down. */
  #keep(): void {
    const sinceMs = this.#options.clock.now() - goneAfterMs;
    const gone = this.#before.filter(({ seenMs }) => seenMs < sinceMs);
    this.#before = this.#before.filter(drift => !gone.includes(drift));
    for (const [type, watch] of this.#watches) {
      const drifts = watch.drifts();
      const forgotten = watch.forget(sinceMs);
      gone.push(...drifts.filter(({ device }) => forgotten.has(device)));
      this.#told.set(type, watch.drifts());
    }
    for (const { device, type, revision } of gone) {
      const text = `${device} has sent no rows for a week: whether it drifts is no longer watched.`;
      this.#options.onEvent({ kind: 'model', text, details: { type, revision, device } });
    }
    this.#saveTold();
    this.#saveCounts();
  }

  #all(): SeenDrift[] {
    return [...this.#before, ...[...this.#watches.values()].flatMap(watch => watch.drifts())];
  }

  #tell(before: readonly DeviceDrift[], after: readonly DeviceDrift[]): void {
    for (const drift of after)
      for (const channel of drift.channels)
        if (!has(before, drift, channel)) this.#say(drift, channel, beginning(drift, channel));
    for (const drift of before)
      for (const channel of drift.channels)
        if (!has(after, drift, channel))
          this.#say(drift, channel, `${drift.device} drifts no more: ${nameOf(channel)} is as usual again.`);
  }

  #say({ type, revision, device }: DeviceDrift, { field }: DriftingChannel, text: string): void {
    this.#options.log.warn({ type, device, field }, text);
    this.#options.onEvent({ kind: 'model', text, details: { type, revision, device, field } });
  }

  #saveTold(): void {
    this.#write(toldFile(this.#options), `${JSON.stringify(this.#all())}\n`);
  }

  #saveCounts(): void {
    const counted = [...this.#watches].map(([type, watch]) => ({
      type,
      revision: watch.card.revision,
      devices: watch.save(),
    }));
    this.#write(countsFile(this.#options), packState([...counted, ...this.#counts]));
  }

  #write(file: string, data: string | Uint8Array): void {
    const write = () => writeFileAtomic(file, data);
    this.#saving = this.#saving.then(write).catch((error: unknown) => {
      this.#options.log.warn({ file, error: messageOf(error) }, 'what is known of drift could not be kept');
    });
  }
}

function has(drifts: readonly DeviceDrift[], { device }: DeviceDrift, { field }: DriftingChannel): boolean {
  return drifts.some(one => one.device === device && one.channels.some(channel => channel.field === field));
}

function beginning({ device }: DeviceDrift, channel: DriftingChannel): string {
  const { share, expected, median, sinceMs } = channel;
  const [low, high] = expected.map(shown);
  const now = median === null ? '' : `, its median is ${shown(median)} now`;
  return (
    `${device} has drifted from what its model was trained on: since ${new Date(sinceMs).toISOString()}, of ` +
    `${nameOf(channel)} ${Math.round(100 * share)} % lie outside of the usual ${low} to ${high}${now}.`
  );
}

function nameOf({ field }: DriftingChannel): string {
  return field ?? 'the score';
}

function shown(value: number): string {
  return String(Number(value.toPrecision(4)));
}

function toldFile({ dataDir }: DriftDeskOptions): string {
  return path.join(dataDir, 'drift.json');
}

function countsFile({ dataDir }: DriftDeskOptions): string {
  return path.join(dataDir, 'drift.state');
}

async function readTold(file: string, nowMs: number): Promise<readonly SeenDrift[]> {
  try {
    const saved = savedSchema.parse(JSON.parse(await readFile(file, 'utf8')));
    return saved.map(drift => ({ seenMs: nowMs, ...drift }));
  } catch {
    return [];
  }
}

/** @throws for what another version has written, or is damaged */
async function readCounts(file: string): Promise<readonly ModelMemory[]> {
  try {
    const { size } = await stat(file);
    if (size > maxCountsBytes) throw new RangeError(`it has ${size} bytes, more than ${maxCountsBytes}`);
    return unpackState(await readFile(file));
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}
