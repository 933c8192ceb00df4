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
 * A comparison with a missing value is false, also under `not`.
 */
export interface CompiledRule {
  /** In its canonical form. */
  readonly text: string;
  /** In order of first use. */
  readonly fields: readonly string[];
  test(values: Lookup): boolean;
  /** The fields in the comparisons that made it true, weights summing to 1; none if it is false. */
  evidence(values: Lookup): readonly ChannelEvidence[];
  /** Undefined if the device type lacks one of the fields, or has it as text: the rule does not apply to it. */
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
      const kinds = new Map(schema.fields.map(field => [field.name, field.kind]));
      if (named.some(name => (kinds.get(name) ?? 'string') === 'string')) return undefined;
      const indexes = new Map(schema.fields.map((field, i) => [field.name, i]));
      return {
        evaluateBatch: compileColumns(condition, schema),
        evidence: (batch, at) => evidenceOf(condition, name => numberOf(batch, indexes.get(name) ?? -1, at)),
      };
    },
  };
}

function checkFields(text: string, used: ReadonlyMap<string, number>, known: readonly string[]): void {
  for (const [name, at] of used) {
    if (known.includes(name)) continue;
    const problem = `No field "${name}".${didYouMean(name, known)} Known: ${known.join(', ')}.`;
    throw new RuleError('EW_RULE_FIELD', problem, text, at);
  }
}
