/** Figures that have a goal, and how they are told. */
import { figure, table } from './table.js';

export type Goal = { readonly atMost: number } | { readonly atLeast: number };

export interface Figure {
  /** What was measured, and its unit. */
  readonly name: string;
  /** Undefined: told beside the others, without one. */
  readonly goal?: Goal | undefined;
  /** What would be better still. */
  readonly aim?: Goal | undefined;
  /** Undefined: it could not be measured here; `note` says why. */
  readonly measured: number | undefined;
  readonly note?: string | undefined;
  /** The whole section it stands for; `note` says why. */
  readonly failed?: true;
}

/** One section that fails is told, and does not take the others along. */
export async function figuresOrFailure(name: string, measure: () => Promise<Figure[]>): Promise<Figure[]> {
  try {
    return await measure();
  } catch (error) {
    const note = `failed: ${String(error instanceof Error ? error.message : error).slice(0, 500)}`;
    return [{ name, measured: undefined, note, failed: true }];
  }
}

export function meets({ goal, measured }: Figure): boolean | undefined {
  if (goal === undefined || measured === undefined) return undefined;
  return 'atMost' in goal ? measured <= goal.atMost : measured >= goal.atLeast;
}

function goalText(goal: Goal | undefined): string {
  if (goal === undefined) return '';
  return 'atMost' in goal ? `≤ ${figure(goal.atMost)}` : `≥ ${figure(goal.atLeast)}`;
}

const verdicts = new Map<boolean | undefined, string>([
  [true, 'met'],
  [false, 'MISSED'],
]);

/** What to say below the table. */
export function verdictText(figures: readonly Figure[]): string {
  const missed = figures.filter(one => meets(one) === false).length;
  const failed = figures.filter(one => one.failed).map(({ name }) => name);
  const text = missed
    ? `${missed} of ${figures.length} figures miss their goal`
    : 'No figure misses its goal';
  return failed.length ? `${text}; NOT MEASURED: ${failed.join(', ')}` : text;
}

/** One line a figure; notes follow below, so that the columns stay narrow. */
export function figuresTable(figures: readonly Figure[]): string {
  const notes = [...new Set(figures.flatMap(({ note }) => (note === undefined ? [] : [note])))];
  const mark = (note: string | undefined) => (note === undefined ? '' : ` [${notes.indexOf(note) + 1}]`);
  const aims = figures.some(({ aim }) => aim !== undefined);
  const row = (name: string, goal: string, aim: string, ...rest: string[]) =>
    aims ? [name, goal, aim, ...rest] : [name, goal, ...rest];
  const rows = figures.map(one =>
    row(
      `${one.name}${mark(one.note)}`,
      goalText(one.goal),
      goalText(one.aim),
      figure(one.measured),
      verdicts.get(meets(one)) ?? '',
    ),
  );
  const lines = notes.map((note, i) => `[${i + 1}] ${note}`);
  return [
    table([row('', 'goal', 'aim', 'measured', ''), ...rows]),
    ...(lines.length ? [lines.join('\n')] : []),
  ].join('\n\n');
}
