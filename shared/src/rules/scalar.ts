import type {
  Arithmetic,
  Compare,
  Comparison,
  FunctionName,
  PlainCondition,
  PlainFor,
  Term,
  WindowTerm,
} from './expression.js';

/** The value of a field; NaN = missing. */
export type Lookup = (field: string) => number;

/** All that a rule can ask of one row. */
export interface Row {
  readonly value: Lookup;
  /** NaN = not known. */
  readonly window: (term: WindowTerm) => number;
  readonly lasts: (condition: PlainFor) => boolean;
}

/** A row without any rows before it: no window is known, and nothing has lasted. */
export function singleRow(value: Lookup): Row {
  return { value, window: () => Number.NaN, lasts: () => false };
}

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

export function termValue(term: Term, row: Row): number {
  switch (term.kind) {
    case 'number':
      return term.value;
    case 'field':
      return row.value(term.name);
    case 'window':
      return row.window(term);
    case 'minus':
      return -termValue(term.term, row);
    case 'arithmetic':
      return arithmetic[term.op](termValue(term.left, row), termValue(term.right, row));
    case 'call':
      return functions[term.name](...term.args.map(arg => termValue(arg, row)));
  }
}

/** The comparisons that held and so made the condition true; undefined if it is false. */
export function heldComparisons(condition: PlainCondition, row: Row): readonly Compare[] | undefined {
  if (condition.kind === 'compare') {
    const { op, left, right } = condition;
    return compare[op](termValue(left, row), termValue(right, row)) ? [condition] : undefined;
  }
  if (condition.kind === 'for')
    return row.lasts(condition) ? heldComparisons(condition.item, row) : undefined;
  const parts = condition.items.map(item => heldComparisons(item, row));
  const held = parts.filter(part => part !== undefined);
  const enough = condition.kind === 'and' ? held.length === parts.length : held.length > 0;
  return enough ? held.flat() : undefined;
}
