import type { Condition, Term } from './expression.js';

const plainName = /^[A-Za-z_][A-Za-z0-9_.]*$/;
const reserved = /^(and|or|not)$/i;

/** The condition as text that parses to the same condition, with no bracket that is not needed. */
export function printCondition(condition: Condition): string {
  switch (condition.kind) {
    case 'compare':
      return `${printTerm(condition.left)} ${condition.op} ${printTerm(condition.right)}`;
    case 'not':
      return `not ${within('not', condition.item)}`;
    default:
      return condition.items.map(item => within(condition.kind, item)).join(` ${condition.kind} `);
  }
}

const tightness = { or: 0, and: 1, not: 2, compare: 3 } as const;

function within(outer: 'or' | 'and' | 'not', inner: Condition): string {
  const text = printCondition(inner);
  const joins = inner.kind === 'and' || inner.kind === 'or';
  return tightness[inner.kind] < tightness[outer] || (joins && inner.kind === outer) ? `(${text})` : text;
}

function printTerm(term: Term): string {
  switch (term.kind) {
    case 'number':
      return String(term.value);
    case 'field':
      return plainName.test(term.name) && !reserved.test(term.name) ? term.name : `"${term.name}"`;
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

function operand(term: Term, atLeast: number): string {
  return strengthOf(term) < atLeast ? `(${printTerm(term)})` : printTerm(term);
}

function strengthOf(term: Term): number {
  if (term.kind !== 'arithmetic') return 2;
  return term.op === '+' || term.op === '-' ? 0 : 1;
}
