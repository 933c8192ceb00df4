import type { ChannelEvidence } from '../contracts.js';
import { directions } from './directions.js';
import { type Compare, fieldOf, type PlainCondition, type Subject, subjectsOf } from './expression.js';
import { printWindow } from './print.js';
import { heldComparisons, type Row, termValue } from './scalar.js';

interface Named {
  readonly subject: Subject;
  readonly in: Compare;
}

/**
 * One entry per field of the comparisons that held, equal weights; none if the condition is false. Where several name
 * a field, the first says what of it, and against which limit.
 */
export function evidenceOf(condition: PlainCondition, row: Row): ChannelEvidence[] {
  const held = heldComparisons(condition, row) ?? [];
  const found = directions(held);
  const named = held.flatMap((one): Named[] =>
    [one.left, one.right].flatMap(subjectsOf).map(subject => ({ subject, in: one })),
  );
  return [...found].map(([field, direction]) => {
    const first = named.find(({ subject }) => fieldOf(subject) === field)!;
    const value = termValue(first.subject, row);
    const limit = limitOf(first, row);
    return {
      field,
      value: Number.isFinite(value) ? value : null,
      ...(first.subject.kind === 'window' && { of: printWindow(first.subject) }),
      ...(limit !== undefined && Number.isFinite(limit) && { limit }),
      direction,
      weight: 1 / found.size,
    };
  });
}

/** What the other side is, where the subject is one side by itself: in `a - b > 3` neither field has a limit. */
function limitOf({ subject, in: { left, right } }: Named, row: Row): number | undefined {
  if (left === subject) return termValue(right, row);
  return right === subject ? termValue(left, row) : undefined;
}
