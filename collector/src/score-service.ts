import type { LoadedModel } from '@edgeward/models/engines';
import { openModel } from '@edgeward/models/engines';
import { scorePlain } from '@edgeward/models/plain';
import type { ChannelEvidence } from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import { type CompiledRule, compileRule } from '@edgeward/shared/rules';
import type { ScoreRequestRow, ScoreResultRow } from './views.js';

export interface ScoreRule {
  readonly name: string;
  readonly when: string;
  readonly score: number;
}

export interface ScoreServiceOptions {
  readonly rules: readonly ScoreRule[];
  readonly models: readonly string[];
  readonly log: Logger;
}

interface Verdict {
  readonly score: number;
  readonly anomaly: boolean;
  readonly reasons: readonly string[];
  readonly channels: readonly ChannelEvidence[];
}

/** Judges single rows by rules and by the plain forest. Keeps nothing; loads its models at the first request. */
export class ScoreService implements AsyncDisposable {
  readonly #options: ScoreServiceOptions;
  readonly #rules: readonly { rule: ScoreRule; compiled: CompiledRule }[];
  #models: Promise<LoadedModel[]> | undefined;

  /** @throws EW_RULE_SYNTAX */
  constructor(options: ScoreServiceOptions) {
    this.#options = options;
    this.#rules = options.rules.map(rule => ({ rule, compiled: compileRule(rule.when) }));
  }

  async score(rows: readonly ScoreRequestRow[]): Promise<ScoreResultRow[]> {
    this.#models ??= this.#load();
    const models = await this.#models;
    const chosen = rows.map(row => modelFor(models, row));
    const forest = await this.#byForest(rows, chosen);
    return rows.map((row, i) => combine(this.#byRules(row), forest[i], chosen[i], row));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { detector } of (await this.#models) ?? []) await detector[Symbol.asyncDispose]();
  }

  async #load(): Promise<LoadedModel[]> {
    const models: LoadedModel[] = [];
    for (const folder of this.#options.models) {
      try {
        models.push(await openModel(folder, { log: this.#options.log }));
      } catch (error) {
        this.#options.log.error({ folder, error: messageOf(error) }, 'model is not used for /score');
      }
    }
    return models;
  }

  #byRules({ values }: ScoreRequestRow): Verdict {
    const lookup = (field: string) => values[field] ?? Number.NaN;
    const held = this.#rules.filter(({ compiled }) => compiled.test(lookup));
    return {
      score: Math.max(0, ...held.map(({ rule }) => rule.score)),
      anomaly: held.length > 0,
      reasons: held.map(({ rule, compiled }) => `rule ${rule.name}: ${compiled.text}`),
      channels: held.flatMap(({ compiled }) => compiled.evidence(lookup)),
    };
  }

  /** One run per model, however many rows. */
  async #byForest(
    rows: readonly ScoreRequestRow[],
    chosen: readonly (LoadedModel | undefined)[],
  ): Promise<(Verdict | undefined)[]> {
    const verdicts = new Array<Verdict | undefined>(rows.length).fill(undefined);
    for (const model of new Set(chosen)) {
      if (!model) continue;
      const own = [...rows.keys()].filter(i => chosen[i] === model);
      const results = await scorePlain(
        model.detector,
        model.bundle.card,
        own.map(i => rows[i]!),
      );
      const { name, plainThreshold } = model.bundle.card;
      for (const [k, i] of own.entries()) {
        const { score, anomaly, channels } = results[k]!;
        const reason = `model ${name}: score ${score.toFixed(3)} ≥ ${plainThreshold.toFixed(3)}`;
        verdicts[i] = { score, anomaly, channels, reasons: anomaly ? [reason] : [] };
      }
    }
    return verdicts;
  }
}

/** The one of the named type, else the one that has most of its fields given, at least half. */
function modelFor(
  models: readonly LoadedModel[],
  { type, values }: ScoreRequestRow,
): LoadedModel | undefined {
  const share = ({ bundle }: LoadedModel) => {
    const { fields } = bundle.card;
    return fields.filter(field => values[field] !== undefined).length / fields.length;
  };
  if (type !== undefined) return models.find(({ bundle }) => bundle.card.deviceType === type);
  const [best] = models.filter(model => share(model) >= 0.5).sort((a, b) => share(b) - share(a));
  return best;
}

function combine(
  rules: Verdict,
  forest: Verdict | undefined,
  model: LoadedModel | undefined,
  row: ScoreRequestRow,
): ScoreResultRow {
  const nobody = !forest && rules.reasons.length === 0;
  const known = Object.keys(row.values).join(', ');
  return {
    anomaly: rules.anomaly || (forest?.anomaly ?? false),
    score: Math.max(rules.score, forest?.score ?? 0),
    model: model?.detector.revision ?? null,
    reasons: nobody
      ? [`no rule holds and no model knows the channels: ${known}`]
      : [...rules.reasons, ...(forest?.reasons ?? [])],
    channels: [...rules.channels, ...(forest?.channels ?? [])],
  };
}
