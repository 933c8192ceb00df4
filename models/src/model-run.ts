import { numberOf } from '@edgeward/shared/batch';
import type { Evidence, RecordBatch } from '@edgeward/shared/contracts';
import type { ForestCard } from './card.js';
import { channelEvidence, contributions, rowsAt } from './contributions.js';
import type { LoadedModel } from './engines.js';
import { FeatureExtractor } from './features.js';
import { isExplained, type Judgement } from './judgement.js';
import { type DeviceMemory, type Memory, readBack, written } from './memory.js';
import { PresentDevices } from './present-devices.js';
import { ScoreSmoother } from './smoothing.js';

interface DeviceAlarm {
  readonly smoother: ScoreSmoother;
  /** Flagged rows since the last row that was not. */
  flagged: number;
}

const maxExplainedABatch = 16;

/** One model at work: its extractor, and per device its smoothed score. Calls must not overlap. */
export class ModelRun {
  readonly #extractor: FeatureExtractor;
  readonly #devices = new Map<string, DeviceAlarm>();
  readonly #present = new PresentDevices(name => this.#deviceOf(name));
  #matrix = new Float32Array(0);

  constructor(readonly model: LoadedModel<ForestCard>) {
    this.#extractor = new FeatureExtractor(model.bundle.card.features);
  }

  async judge(batch: RecordBatch): Promise<Judgement> {
    const n = batch.time.length;
    const used = n * this.#extractor.names.length;
    if (this.#matrix.length < used) this.#matrix = new Float32Array(used);
    const matrix = this.#matrix.subarray(0, used);
    const warmUp = new Uint8Array(n);
    this.#extractor.extract(batch, matrix, warmUp);
    const score = await this.model.detector.score(matrix, n);
    const { anomaly, toExplain } = this.#flag(batch, score, warmUp);
    const evidence = toExplain.length > 0 ? await this.#explain(batch, matrix, score, toExplain) : [];
    return { score, anomaly, warmUp, evidence };
  }

  save(): DeviceMemory[] {
    return [...this.#devices.keys()].flatMap(name => {
      const newestMs = this.#extractor.newestMs(name);
      if (!Number.isFinite(newestMs)) return [];
      return { name, newestMs, numbers: written(memory => this.#remember(name, memory)) };
    });
  }

  load(devices: readonly DeviceMemory[]): void {
    for (const { name, numbers } of devices) readBack(numbers, memory => this.#remember(name, memory));
  }

  #remember(name: string, memory: Memory): void {
    const device = this.#deviceOf(name);
    this.#extractor.remember(name, memory);
    device.smoother.remember(memory);
    device.flagged = memory.count(device.flagged);
  }

  /** Smooths the scores in place and flags rows. */
  #flag(batch: RecordBatch, score: Float32Array, warmUp: Uint8Array) {
    const { threshold } = this.model.bundle.card;
    const devices = this.#present.of(batch);
    const anomaly = new Uint8Array(score.length);
    const toExplain: number[] = [];
    for (let r = 0; r < score.length; r++) {
      const device = devices[batch.device[r]!]!;
      if (warmUp[r]) {
        device.smoother.reset();
        device.flagged = 0;
        score[r] = Number.NaN;
        continue;
      }
      score[r] = device.smoother.next(score[r]!);
      anomaly[r] = score[r]! >= threshold ? 1 : 0;
      device.flagged = anomaly[r] ? device.flagged + 1 : 0;
      if (isExplained(device.flagged) && toExplain.length < maxExplainedABatch) toExplain.push(r);
    }
    return { anomaly, toExplain };
  }

  async #explain(
    batch: RecordBatch,
    matrix: Float32Array,
    score: Float32Array,
    rows: readonly number[],
  ): Promise<Evidence[]> {
    const { card } = this.model.bundle;
    const columns = this.#extractor.names.length;
    const features = rowsAt(matrix, columns, rows);
    const parts = await contributions(this.model.detector, card, features, rows.length);
    const channels = card.fields.length;
    const fields = card.fields.map(name => batch.schema.fields.findIndex(field => field.name === name));
    return rows.map((at, i) => ({
      at,
      detector: 'forest',
      source: card.revision,
      score: score[at]!,
      threshold: card.threshold,
      channels: channelEvidence(
        card,
        features.subarray(i * columns, (i + 1) * columns),
        parts.subarray(i * channels, (i + 1) * channels),
        fields.map(f => numberOf(batch, f, at)),
      ),
    }));
  }

  #deviceOf(name: string): DeviceAlarm {
    let device = this.#devices.get(name);
    if (!device) {
      device = { smoother: new ScoreSmoother(this.model.bundle.card.smoothingRows), flagged: 0 };
      this.#devices.set(name, device);
    }
    return device;
  }
}
