import { printDuration } from './duration.js';
import type { Compare, Condition, Term, WindowTerm } from './expression.js';

const plainName = /^[A-Za-z_][A-Za-z0-9_.]*$/;
const reserved = /^(and|or|not)$/i;

/**
 * The condition as text that parses to the same condition, with no bracket that is not needed.
 * @param leading  no "and", "or" or "not" stands before it in the same brackets
 */
export function printCondition(condition: Condition, leading = true): string {
  switch (condition.kind) {
    case 'compare': {
      const missing = missingOf(condition);
      if (missing) return printCall('missing', missing);
      return `${printTerm(condition.left)} ${condition.op} ${printTerm(condition.right)}`;
    }
    case 'not':
      return `not ${within('not', condition.item, false)}`;
    case 'for':
      return `${within('for', condition.item, leading)} for ${printDuration(condition.durationMs)}`;
    default:
      return condition.items
        .map((item, i) => within(condition.kind, item, leading && i === 0))
        .join(` ${condition.kind} `);
  }
}

/** The window of `missing(x, 5m)`, which is short for `count(x, 5m) == 0`. */
function missingOf({ op, left, right }: Compare): WindowTerm | undefined {
  if (op !== '==' || left.kind !== 'window' || left.what !== 'count') return undefined;
  return right.kind === 'number' && right.value === 0 ? left : undefined;
}

const tightness = { or: 0, and: 1, not: 2, for: 3, compare: 4 } as const;

function within(outer: 'or' | 'and' | 'not' | 'for', inner: Condition, leading: boolean): string {
  const bracketed = needsBrackets(outer, inner, leading);
  const text = printCondition(inner, bracketed || leading);
  return bracketed ? `(${text})` : text;
}

function needsBrackets(outer: 'or' | 'and' | 'not' | 'for', inner: Condition, leading: boolean): boolean {
  // Behind "and" or "or" a reader could take all that stands before it for what lasts, and the parser refuses it.
  if (inner.kind === 'for') return !leading;
  const joins = inner.kind === 'and' || inner.kind === 'or';
  return tightness[inner.kind] < tightness[outer] || (joins && inner.kind === outer);
}

function printTerm(term: Term): string {
  switch (term.kind) {
    case 'number':
      return String(term.value);
    case 'field':
      return printName(term.name);
    case 'window':
      return printWindow(term);
    case 'minus':
      return `-${operand(term.term, 2)}`;
    case 'arithmetic': {
      const strength = strengthOf(term);
      return `${operand(term.left, strength)} ${term.op} ${operand(term.right, strength + 1)}`;
    }
    case 'call':
      return `${term.name}(${term.args.map(printTerm).join(', ')})`;
  }
}

/** `mean(temperature, 10m)` */
export function printWindow(term: WindowTerm): string {
  return printCall(term.what, term);
}

function printCall(name: string, { field, lengthMs }: WindowTerm): string {
  return `${name}(${printName(field)}, ${printDuration(lengthMs)})`;
}

function printName(name: string): string {
  return plainName.test(name) && !reserved.test(name) ? name : `"${name}"`;
}

function operand(term: Term, atLeast: number): string {
  return strengthOf(term) < atLeast ? `(${printTerm(term)})` : printTerm(term);
}

function strengthOf(term: Term): number {
  if (term.kind !== 'arithmetic') return 2;
  return term.op === '+' || term.op === '-' ? 0 : 1;
}
