/**
 * Drift watches of all device types. What was told is kept on disk: after a restart it takes hours to see a drift
 * again, which is no reason to call it over.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Card } from '@edgeward/models/card';
import { DriftWatch } from '@edgeward/models/drift';
import type { Judgement } from '@edgeward/models/judgement';
import {
  type DeviceDrift,
  type DriftingChannel,
  maxReportedDrifts,
  type RecordBatch,
} from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import { writeFileAtomic } from '@edgeward/shared/files';
import type { Logger } from '@edgeward/shared/log';
import { z } from 'zod';
import type { Notice } from './open-models.js';

/** As many as a collector takes in a report. */
const maxChannels = 16;

const savedSchema = z.array(
  z.object({
    type: z.string(),
    revision: z.string(),
    device: z.string(),
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
  readonly log: Logger;
  readonly onEvent: (event: Notice) => void;
}

export class DriftDesk {
  readonly #file: string;
  readonly #options: DriftDeskOptions;
  readonly #watches = new Map<string, DriftWatch>();
  /** Device type → what was told of it last. */
  readonly #told = new Map<string, readonly DeviceDrift[]>();
  /** Of types of which no row has come since the start. */
  #before: readonly DeviceDrift[];
  #saving: Promise<void> = Promise.resolve();

  private constructor(file: string, options: DriftDeskOptions, before: readonly DeviceDrift[]) {
    this.#file = file;
    this.#options = options;
    this.#before = before;
  }

  static async open(options: DriftDeskOptions): Promise<DriftDesk> {
    const file = path.join(options.dataDir, 'drift.json');
    return new DriftDesk(file, options, await readSaved(file));
  }

  /** @param revisions  device type → the one in use: drifts from another one are no longer of interest */
  drifts(revisions: Readonly<Record<string, string>>): DeviceDrift[] {
    return this.#all()
      .filter(({ type, revision }) => revisions[type] === revision)
      .slice(0, maxReportedDrifts)
      .map(drift => ({ ...drift, channels: drift.channels.slice(0, maxChannels) }));
  }

  /** Of a batch that a model has judged. */
  readonly take = (batch: RecordBatch, judgement: Judgement, card: Card): void => {
    try {
      const watch = this.#of(card);
      if (!watch.take(batch, judgement)) return;
      const drifts = watch.drifts();
      this.#tell(this.#told.get(card.deviceType) ?? [], drifts);
      this.#told.set(card.deviceType, drifts);
      this.#save();
    } catch (error) {
      // Readings matter more: they go their way, whatever is wrong here.
      this.#options.log.error({ type: card.deviceType, err: error }, 'drift could not be watched');
    }
  };

  /** Resolves when what was told is on disk. */
  async saved(): Promise<void> {
    await this.#saving;
  }

  #of(card: Card): DriftWatch {
    const { deviceType, revision } = card;
    const known = this.#watches.get(deviceType);
    if (known?.card.revision === revision) return known;
    const watch = new DriftWatch(card, this.#before);
    this.#before = this.#before.filter(({ type }) => type !== deviceType);
    this.#watches.set(deviceType, watch);
    this.#told.set(deviceType, watch.drifts());
    return watch;
  }

  #all(): DeviceDrift[] {
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

  #save(): void {
    const text = `${JSON.stringify(this.#all())}\n`;
    const write = () => writeFileAtomic(this.#file, text);
    this.#saving = this.#saving.then(write).catch((error: unknown) => {
      this.#options.log.warn({ error: messageOf(error) }, 'which devices drift could not be kept');
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

async function readSaved(file: string): Promise<readonly DeviceDrift[]> {
  try {
    return savedSchema.safeParse(JSON.parse(await readFile(file, 'utf8'))).data ?? [];
  } catch {
    return [];
  }
}
