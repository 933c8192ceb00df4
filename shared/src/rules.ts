import { numberOf } from './batch.js';
import type { ChannelEvidence, RecordBatch, Schema } from './contracts.js';
import { didYouMean } from './nearest.js';
import { compileColumns } from './rules/columns.js';
import { withoutNot } from './rules/expression.js';
import { parseRule } from './rules/parse.js';
import { printCondition } from './rules/print.js';
import { RuleError } from './rules/rule-error.js';
import { evidenceOf, heldComparisons, type Lookup } from './rules/scalar.js';

export { RuleError } from './rules/rule-error.js';
export type { Lookup } from './rules/scalar.js';

/**
 * A rule such as `temperature > 40 or pressure > 120`: numbers, fields, + - * /, comparisons, and/or/not, brackets,
 * abs, min, max. Field names with a dash or a leading digit stand in double quotes. It is data, never code.
 * A comparison with a missing value is false, also under `not`; what a device type lacks, or has as text, is missing.
 */
export interface CompiledRule {
  /** In its canonical form. */
  readonly text: string;
  /** In order of first use. */
  readonly fields: readonly string[];
  test(values: Lookup): boolean;
  /** The fields in the comparisons that made it true, weights summing to 1; none if it is false. */
  evidence(values: Lookup): readonly ChannelEvidence[];
  /** Undefined if the device type has none of the fields as a number: the rule does not apply to it. */
  bind(schema: Schema): BoundRule | undefined;
}

/** A rule for the batches of one schema. */
export interface BoundRule {
  /** [n] 1 = the rule holds. */
  evaluateBatch(batch: RecordBatch): Uint8Array;
  /** As in `CompiledRule`, for one row. */
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
  return {
    text: printCondition(parsed.condition),
    fields: named,
    test: values => heldComparisons(condition, values) !== undefined,
    evidence: values => evidenceOf(condition, values),
    bind: schema => {
      const indexes = numericFields(schema);
      if (!named.some(name => indexes.has(name))) return undefined;
      const valueAt = (batch: RecordBatch, name: string, at: number) => {
        const index = indexes.get(name);
        return index === undefined ? Number.NaN : numberOf(batch, index, at);
      };
      return {
        evaluateBatch: compileColumns(condition, indexes),
        evidence: (batch, at) => evidenceOf(condition, name => valueAt(batch, name, at)),
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

function checkFields(text: string, used: ReadonlyMap<string, number>, known: readonly string[]): void {
  for (const [name, at] of used) {
    if (known.includes(name)) continue;
    const problem = `No field "${name}".${didYouMean(name, known)} Known: ${known.join(', ')}.`;
    throw new RuleError('EW_RULE_FIELD', problem, text, at);
  }
}
