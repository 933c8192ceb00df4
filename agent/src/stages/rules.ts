import { nameOption, ruleOption } from '@edgeward/shared/config';
import type { Evidence, RecordBatch, Schema, Stage } from '@edgeward/shared/contracts';
import { type Logger, silentLogger } from '@edgeward/shared/log';
import {
  type BoundRule,
  type CompiledRule,
  compileRule,
  type HistoryState,
  RuleHistory,
} from '@edgeward/shared/rules';
import { z } from 'zod';

/** One evidence for so many flagged rows of a device: an alarm that lasts says little new with each row. */
const evidenceEvery = 10;
/** After so many batches every source should have been heard: a rule that fits nothing so far is likely a slip. */
const settledAfter = 50;
/** Every so many it is looked whether rows come too rarely for a rule. */
const rareCheckEvery = 50;

export const ruleConfig = z.strictObject({
  name: nameOption().meta({
    description: 'Name of the rule, shown with what it flags',
    examples: ['too-hot'],
  }),
  when: ruleOption().meta({
    description:
      'Condition over the fields of a row, and over their past on the same device; a comparison is false where a value is missing. deploy/rules.md has the language',
    examples: [
      'temperature > 40 or pressure > 120',
      'temperature > 40 for 5m',
      'mean(temperature, 10m) > 40 and change(pressure, 30s) < -5',
      'missing(temperature, 5m)',
    ],
  }),
  score: z
    .number()
    .positive()
    .max(1)
    .default(1)
    .meta({ description: 'Score of the rows it holds for, unless they have a higher one' }),
  deviceTypes: z
    .array(nameOption())
    .min(1)
    .optional()
    .meta({
      description: 'Device types it is for; without it, all that have one of the fields',
      examples: [['pump']],
    }),
});

export type RuleConfig = z.output<typeof ruleConfig>;

interface StageRule {
  readonly config: RuleConfig;
  readonly rule: CompiledRule;
}

interface AppliedRule {
  readonly config: RuleConfig;
  readonly bound: BoundRule;
}

/**
 * Flags the rows a rule holds for: the score is raised to the rule's, never lowered, the row counts as an anomaly,
 * and the first flagged row of each device and batch, then every tenth, carries the values that made the rule true.
 * Rows that no rule applies to stay as they are.
 *
 * One stage serves all sources. Rules that look back remember rows by the names of devices, so it does not matter
 * which source, schema or batch brings them; batches are taken one after another, each once, as they were read.
 */
export class RuleStage implements Stage {
  readonly #rules: readonly StageRule[];
  readonly #applied = new WeakMap<Schema, AppliedRule[]>();
  readonly #fitting = new Set<RuleConfig>();
  readonly #tooRare = new Set<RuleConfig>();
  readonly #history: RuleHistory;
  readonly #log: Logger;
  #batches = 0;

  /**
   * @param log  warned, once each, of rules that have met no device type with a field they name, and of those that look
   *   back less far than the rows of a device are apart
   * @throws EW_RULE_SYNTAX
   */
  constructor(rules: readonly RuleConfig[], log: Logger = silentLogger) {
    this.#log = log;
    this.#rules = rules.map(config => ({ config, rule: compileRule(config.when) }));
    this.#history = new RuleHistory(this.#rules.flatMap(({ rule }) => rule.past));
  }

  /** What rules remember of rows, as JSON. */
  save(): HistoryState {
    return this.#history.save();
  }

  /**
   * Goes on from there, before the first batch. Without it, windows are empty at the start: not full before they have
   * seen their length. The time between counts as silence. What rules no longer ask for is left out.
   * @throws ZodError, TypeError if it is not what `save` gave; the stage must not be used then
   */
  load(saved: unknown): void {
    this.#history.load(saved);
  }

  process(batch: RecordBatch): RecordBatch {
    let result = batch;
    for (const { config, bound } of this.#appliedTo(batch.schema)) {
      const held = bound.evaluateBatch(batch);
      if (held.includes(1)) result = flag(result, held, config, evidenceOf(batch, held, config, bound));
    }
    this.#batches += 1;
    if (this.#batches === settledAfter) this.#warnOfUnfit();
    if (this.#batches % rareCheckEvery === 0) this.#warnOfRareRows();
    return result;
  }

  #warnOfUnfit(): void {
    for (const { config } of this.#rules) {
      if (this.#fitting.has(config)) continue;
      const { name, when } = config;
      this.#log.warn(
        { rule: name, when },
        'the rule fits no device type so far: it names none of their fields',
      );
    }
  }

  #warnOfRareRows(): void {
    for (const { config, rule } of this.#rules) {
      if (rule.past.length === 0 || this.#tooRare.has(config)) continue;
      const device = this.#history.tooRare(rule.past);
      if (device === undefined) continue;
      this.#tooRare.add(config);
      this.#log.warn(
        { rule: config.name, when: config.when, device },
        'rows of the device come more rarely than the rule looks back: give it longer durations',
      );
    }
  }

  #appliedTo(schema: Schema): readonly AppliedRule[] {
    let applied = this.#applied.get(schema);
    if (!applied) {
      applied = this.#rules.flatMap(({ config, rule }) => {
        if (config.deviceTypes && !config.deviceTypes.includes(schema.type)) return [];
        const bound = rule.bind(schema, this.#history);
        if (!bound) return [];
        this.#fitting.add(config);
        return [{ config, bound }];
      });
      this.#applied.set(schema, applied);
    }
    return applied;
  }
}

function flag(
  batch: RecordBatch,
  held: Uint8Array,
  config: RuleConfig,
  evidence: readonly Evidence[],
): RecordBatch {
  const n = held.length;
  const score = batch.score ? Float32Array.from(batch.score) : new Float32Array(n).fill(Number.NaN);
  const anomaly = batch.anomaly ? Uint8Array.from(batch.anomaly) : new Uint8Array(n);
  for (let i = 0; i < n; i++) {
    if (held[i] !== 1) continue;
    anomaly[i] = 1;
    // Also true for rows without a score.
    if (!(score[i]! >= config.score)) score[i] = config.score;
  }
  return { ...batch, score, anomaly, evidence: [...(batch.evidence ?? []), ...evidence] };
}

function evidenceOf(batch: RecordBatch, held: Uint8Array, config: RuleConfig, bound: BoundRule): Evidence[] {
  const flagged = new Uint32Array(batch.schema.devices.length);
  const found: Evidence[] = [];
  for (let at = held.indexOf(1); at >= 0; at = held.indexOf(1, at + 1)) {
    const device = batch.device[at]!;
    if (flagged[device]! % evidenceEvery === 0) {
      found.push({
        at,
        detector: 'rule',
        source: config.name,
        score: config.score,
        threshold: config.score,
        channels: bound.evidence(batch, at),
      });
    }
    flagged[device]! += 1;
  }
  return found;
}
