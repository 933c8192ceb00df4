import { numberOf } from './batch.js';
import type { ChannelEvidence, RecordBatch, Schema } from './contracts.js';
import { didYouMean } from './nearest.js';
import { compileColumns } from './rules/columns.js';
import { evidenceOf } from './rules/evidence.js';
import { type PastPart, pastPartsOf, withoutNot } from './rules/expression.js';
import { RuleHistory } from './rules/history.js';
import { parseRule } from './rules/parse.js';
import { printCondition } from './rules/print.js';
import { RuleError } from './rules/rule-error.js';
import { heldComparisons, type Lookup, type Row, singleRow } from './rules/scalar.js';

export { type HistoryState, RuleHistory } from './rules/history.js';
export { RuleError } from './rules/rule-error.js';
export type { Lookup } from './rules/scalar.js';

/**
 * A rule such as `temperature > 40 or pressure > 120`: numbers, fields, + - * /, comparisons, and/or/not, brackets,
 * abs, min, max. Field names with a dash or a leading digit stand in double quotes. It is data, never code.
 * A comparison with a missing value is false, also under `not`; what a device type lacks, or has as text, is missing.
 *
 * It may look back over a device's own rows, by their times: `mean(temperature, 10m) > 40`, `temperature > 40 for 5m`.
 * What a window says is missing until the device has been seen for the window's length, and at late rows.
 */
export interface CompiledRule {
  /** In its canonical form. */
  readonly text: string;
  /** In order of first use. */
  readonly fields: readonly string[];
  /** What it asks of the rows before, for `RuleHistory`; empty = it judges each row by itself. */
  readonly past: readonly PastPart[];
  /** Of a single row, of whose device nothing else is known: windows are missing there, and no `for` holds. */
  test(values: Lookup): boolean;
  /** The fields in the comparisons that made it true, weights summing to 1; none if it is false. */
  evidence(values: Lookup): readonly ChannelEvidence[];
  /**
   * Undefined if the device type has none of the fields as a number: the rule does not apply to it.
   * @param history  for all schemas and rules of one stage; absent = a new one
   */
  bind(schema: Schema, history?: RuleHistory): BoundRule | undefined;
}

/** A rule for the batches of one schema. */
export interface BoundRule {
  /** [n] 1 = the rule holds. Each batch once, in the order in which they were read: the history goes on with it. */
  evaluateBatch(batch: RecordBatch): Uint8Array;
  /** As in `CompiledRule`, for one row of the batch evaluated last. */
  evidence(batch: RecordBatch, at: number): readonly ChannelEvidence[];
}

/**
 * @param fields  all that may be named; absent = any name will do
 * @throws RuleError EW_RULE_SYNTAX, EW_RULE_FIELD
 */
export function compileRule(text: string, fields?: readonly string[]): CompiledRule {
  const parsed = parseRule(text);
  if (fields) checkFields(text, parsed.fields, fields);
  const condition = withoutNot(parsed.condition);
  const named = [...parsed.fields.keys()];
  const past = pastPartsOf(condition);
  return {
    text: printCondition(parsed.condition),
    fields: named,
    past,
    test: values => heldComparisons(condition, singleRow(values)) !== undefined,
    evidence: values => evidenceOf(condition, singleRow(values)),
    bind: (schema, history = new RuleHistory(past)) => {
      const indexes = numericFields(schema);
      if (!named.some(name => indexes.has(name))) return undefined;
      return {
        evaluateBatch: compileColumns(condition, { indexes, history }),
        evidence: (batch, at) => evidenceOf(condition, rowOf(batch, at, indexes, history)),
      };
    },
  };
}

/** Where in a batch the fields are that a rule can compare. */
function numericFields(schema: Schema): ReadonlyMap<string, number> {
  return new Map(
    schema.fields.flatMap(({ name, kind }, i) => (kind === 'string' ? [] : [[name, i] as const])),
  );
}

function rowOf(
  batch: RecordBatch,
  at: number,
  indexes: ReadonlyMap<string, number>,
  history: RuleHistory,
): Row {
  return {
    value: name => {
      const index = indexes.get(name);
      return index === undefined ? Number.NaN : numberOf(batch, index, at);
    },
    window: term => history.window(term).at(term.what, batch, at),
    lasts: condition => history.lasting(condition).at(batch, at),
  };
}

function checkFields(text: string, used: ReadonlyMap<string, number>, known: readonly string[]): void {
  for (const [name, at] of used) {
    if (known.includes(name)) continue;
    const problem = `No field "${name}".${didYouMean(name, known)} Known: ${known.join(', ')}.`;
    throw new RuleError('EW_RULE_FIELD', problem, text, at);
  }
}
