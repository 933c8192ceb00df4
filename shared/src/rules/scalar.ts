import type { ChannelEvidence } from '../contracts.js';
import { directions } from './directions.js';
import type { Arithmetic, Compare, Comparison, FunctionName, PlainCondition, Term } from './expression.js';

/** The value of a field; NaN = missing. */
export type Lookup = (field: string) => number;

export const compare: Readonly<Record<Comparison, (a: number, b: number) => boolean>> = {
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '==': (a, b) => a === b,
  // NaN differs from everything in JavaScript; here a missing value is no reason for anything.
  '!=': (a, b) => a < b || a > b,
};

const arithmetic: Readonly<Record<Arithmetic, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
};

const functions: Readonly<Record<FunctionName, (...args: number[]) => number>> = {
  abs: Math.abs,
  min: Math.min,
  max: Math.max,
};

export function termValue(term: Term, values: Lookup): number {
  switch (term.kind) {
    case 'number':
      return term.value;
    case 'field':
      return values(term.name);
    case 'minus':
      return -termValue(term.term, values);
    case 'arithmetic':
      return arithmetic[term.op](termValue(term.left, values), termValue(term.right, values));
    case 'call':
      return functions[term.name](...term.args.map(arg => termValue(arg, values)));
  }
}

/** The comparisons that held and so made the condition true; undefined if it is false. */
export function heldComparisons(condition: PlainCondition, values: Lookup): readonly Compare[] | undefined {
  if (condition.kind === 'compare') {
    const { op, left, right } = condition;
    return compare[op](termValue(left, values), termValue(right, values)) ? [condition] : undefined;
  }
  const parts = condition.items.map(item => heldComparisons(item, values));
  const held = parts.filter(part => part !== undefined);
  const enough = condition.kind === 'and' ? held.length === parts.length : held.length > 0;
  return enough ? held.flat() : undefined;
}

/** One entry per field of the comparisons that held, equal weights; none if the condition is false. */
export function evidenceOf(condition: PlainCondition, values: Lookup): ChannelEvidence[] {
  const found = directions(heldComparisons(condition, values) ?? []);
  return [...found].map(([field, direction]) => {
    const value = values(field);
    return { field, value: Number.isFinite(value) ? value : null, direction, weight: 1 / found.size };
  });
}
