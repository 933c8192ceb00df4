import type { ChannelEvidence } from '../contracts.js';
import type { Compare, Term } from './expression.js';

type Direction = ChannelEvidence['direction'];

/** Which way each field had to go for these comparisons to hold: `a - b > 3` holds with high a and low b. */
export function directions(comparisons: readonly Compare[]): Map<string, Direction> {
  const found = new Map<string, Direction>();
  const note = (field: string, sign: number) => {
    const direction: Direction = sign > 0 ? 'high' : sign < 0 ? 'low' : 'unusual';
    const earlier = found.get(field);
    found.set(field, earlier === undefined || earlier === direction ? direction : 'unusual');
  };
  for (const { op, left, right } of comparisons) {
    const sign = op.startsWith('>') ? 1 : op.startsWith('<') ? -1 : 0;
    follow(left, sign, note);
    follow(right, -sign, note);
  }
  return found;
}

/** @param sign  1 = a larger value of the term helps, -1 = a smaller one, 0 = neither is known */
function follow(term: Term, sign: number, note: (field: string, sign: number) => void): void {
  switch (term.kind) {
    case 'number':
      return;
    case 'field':
      note(term.name, sign);
      return;
    case 'window':
      note(term.field, sign);
      return;
    case 'minus':
      follow(term.term, -sign, note);
      return;
    case 'call':
      for (const arg of term.args) follow(arg, term.name === 'abs' ? 0 : sign, note);
      return;
    case 'arithmetic':
      follow(term.left, sign * leftSign(term), note);
      follow(term.right, sign * rightSign(term), note);
  }
}

type Operation = Extract<Term, { kind: 'arithmetic' }>;

function leftSign({ op, right }: Operation): number {
  return op === '+' || op === '-' ? 1 : signOf(right);
}

function rightSign({ op, left }: Operation): number {
  if (op === '+') return 1;
  if (op === '-') return -1;
  return op === '*' ? signOf(left) : 0;
}

/** Known for plain numbers only. */
function signOf(term: Term): number {
  if (term.kind === 'number') return Math.sign(term.value);
  return term.kind === 'minus' ? -signOf(term.term) : 0;
}
