import type { WindowFunction } from '../windows/time-window.js';
import { printCondition } from './print.js';

/** What a rule is made of once parsed. */
export type Comparison = '>' | '>=' | '<' | '<=' | '==' | '!=';
export type Arithmetic = '+' | '-' | '*' | '/';
export type FunctionName = 'abs' | 'min' | 'max';

export type Term =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'minus'; readonly term: Term }
  | { readonly kind: 'arithmetic'; readonly op: Arithmetic; readonly left: Term; readonly right: Term }
  | { readonly kind: 'call'; readonly name: FunctionName; readonly args: readonly Term[] }
  | WindowTerm;

/** Something of a field's own past on the same device: `mean(temperature, 10m)`. */
export interface WindowTerm {
  readonly kind: 'window';
  readonly what: WindowFunction;
  readonly field: string;
  readonly lengthMs: number;
}

export interface Compare {
  readonly kind: 'compare';
  readonly op: Comparison;
  readonly left: Term;
  readonly right: Term;
}

export type Condition =
  | Compare
  | { readonly kind: 'and' | 'or'; readonly items: readonly Condition[] }
  | { readonly kind: 'not'; readonly item: Condition }
  /** Held without a break for so long. Never within `not` or another `for`. */
  | { readonly kind: 'for'; readonly item: Condition; readonly durationMs: number };

/** As in `Condition`; a row breaks it if `opposite` holds, and a row where neither does says nothing. */
export interface PlainFor {
  readonly kind: 'for';
  readonly item: PlainCondition;
  readonly opposite: PlainCondition;
  readonly durationMs: number;
  /** The same for equal conditions. */
  readonly key: string;
}

/** A condition without `not`: the opposite comparisons stand in its place. */
export type PlainCondition =
  | Compare
  | { readonly kind: 'and' | 'or'; readonly items: readonly PlainCondition[] }
  | PlainFor;

const opposites: Readonly<Record<Comparison, Comparison>> = {
  '>': '<=',
  '>=': '<',
  '<': '>=',
  '<=': '>',
  '==': '!=',
  '!=': '==',
};

/**
 * Moves `not` into the comparisons. A comparison with a missing value is false, and so is its opposite: a rule
 * never fires because of a value that is not there.
 */
export function withoutNot(condition: Condition, negated = false): PlainCondition {
  switch (condition.kind) {
    case 'compare':
      return negated ? { ...condition, op: opposites[condition.op] } : condition;
    case 'not':
      return withoutNot(condition.item, !negated);
    case 'for': {
      if (negated) throw new TypeError('a rule with "for" under "not" was parsed');
      const { item, durationMs } = condition;
      const opposite = withoutNot(item, true);
      const key = printCondition(condition);
      return { kind: 'for', item: withoutNot(item), opposite, durationMs, key };
    }
    default: {
      const kind = negated === (condition.kind === 'and') ? 'or' : 'and';
      return { kind, items: condition.items.map(item => withoutNot(item, negated)) };
    }
  }
}

/** Something of one field: its value, or what a window over it says. */
export type Subject = Extract<Term, { kind: 'field' | 'window' }>;

export function fieldOf(subject: Subject): string {
  return subject.kind === 'field' ? subject.name : subject.field;
}

export function subjectsOf(term: Term): readonly Subject[] {
  switch (term.kind) {
    case 'number':
      return [];
    case 'field':
    case 'window':
      return [term];
    case 'minus':
      return subjectsOf(term.term);
    case 'arithmetic':
      return [...subjectsOf(term.left), ...subjectsOf(term.right)];
    case 'call':
      return term.args.flatMap(subjectsOf);
  }
}

/** A part of a rule that looks at more than one row. */
export type PastPart = WindowTerm | PlainFor;

export function pastPartsOf(condition: PlainCondition): readonly PastPart[] {
  switch (condition.kind) {
    case 'compare':
      return [condition.left, condition.right]
        .flatMap(subjectsOf)
        .filter(subject => subject.kind === 'window');
    case 'for':
      return [condition, ...pastPartsOf(condition.item)];
    default:
      return condition.items.flatMap(pastPartsOf);
  }
}
