/** What people read of a training: in the log, the card, the health of the collector and `edgeward models`. */
import type { TrainingView } from '../views.js';
import type { LeftOut, LeftOutReason } from './request.js';
import type { Run } from './runs.js';

/** One sentence on what came of it. */
export function trainingText({
  type,
  state,
  rows,
  leftOut,
  fieldsLeftOut,
  revision,
  assigned,
  text,
}: TrainingView | Run): string {
  if (state === 'waiting') return `${type}: not trained yet.`;
  if (state === 'running') return `${type}: is being trained.`;
  if (text !== null) return `${type}: ${state}: ${text}`;
  const out = leftOut ? `; left out: ${leftOutText(leftOut)}` : '';
  const fields = fieldsText(fieldsLeftOut ?? []);
  const what = state === 'unchanged' ? 'came to the same model as before' : 'was trained';
  const then = assigned ? ', and gateways try it in the shadow' : '';
  return `${type}: ${revision} ${what}, from ${rows} rows${out}${fields}${then}.`;
}

/** `; fields left out, since most rows lack them: level`, or nothing. */
export function fieldsText(names: readonly string[]): string {
  return names.length === 0 ? '' : `; fields left out, since most rows lack them: ${names.join(', ')}`;
}

/** `12 in alarm, 3 of bad quality`, or `nothing`. */
export function leftOutText(leftOut: LeftOut): string {
  const words: Record<LeftOutReason, string> = {
    time: 'of impossible or unsure time',
    alarm: 'in alarm',
    incident: 'in incidents',
    quality: 'of bad quality',
    near: 'beside these',
  };
  const parts = Object.entries(words).map(([reason, text]) => [leftOut[reason as LeftOutReason], text]);
  return (
    parts
      .filter(([rows]) => rows !== 0)
      .map(part => part.join(' '))
      .join(', ') || 'nothing'
  );
}
