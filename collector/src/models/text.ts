/** What `edgeward models` prints. */
import { trainingText } from '../training/text.js';
import type { ModelsView } from '../views.js';

export function modelsText(
  { bundles, assignments, gateways, trainings }: ModelsView,
  notes: readonly string[],
): string {
  const parts = [
    [...notes],
    table(
      ['model', 'name', 'bytes', 'added'],
      bundles.map(one => [`${one.type}=${one.revision}`, one.name, String(one.bytes), timeText(one.addedMs)]),
      'This collector has no models: edgeward models --add DIR.',
    ),
    table(
      ['type', 'gateways', 'should run', 'since', 'before that'],
      assignments.map(one => [
        one.type,
        one.gateway ?? 'all',
        one.revision ?? 'as configured',
        timeText(one.atMs),
        one.former ?? 'as configured',
      ]),
      'None is assigned: gateways run what they have configured.',
    ),
    table(
      ['gateway', 'type', 'runs', 'should run', 'state'],
      gateways.map(one => [one.gateway, one.type, one.inUse ?? 'none', one.wanted ?? '', stateText(one)]),
      'No gateway has told yet what it runs.',
    ),
    gateways.flatMap(shadowLines),
    trainings.map(trainingLine),
  ];
  return `${parts
    .filter(lines => lines.length > 0)
    .map(lines => lines.join('\n'))
    .join('\n\n')}\n`;
}

function trainingLine(training: ModelsView['trainings'][number]): string {
  const { endedMs, nextMs } = training;
  const when = endedMs === null ? '' : `${timeText(endedMs)} `;
  return `training: ${when}${trainingText(training)}${nextMs === null ? '' : ` Next: ${timeText(nextMs)}.`}`;
}

function stateText({ state, doneBytes, bytes, code, text }: ModelsView['gateways'][number]): string {
  const progress =
    state === 'fetching' && doneBytes !== null && bytes !== null ? ` ${doneBytes}/${bytes}` : '';
  return [`${state}${progress}`, code, text].filter(Boolean).join(': ');
}

function shadowLines({ gateway, type, wanted, shadow }: ModelsView['gateways'][number]): string[] {
  if (!shadow) return [];
  const { rows, deviceHours, alarms, agreed, differences } = shadow;
  const share = rows > 0 ? ((100 * agreed) / rows).toFixed(1) : '0';
  return [
    `${gateway} ${type} ${wanted} in the shadow: ${rows} rows, ${deviceHours} h of devices, ${share} % judged alike`,
    `  alarms: ${alarms.candidate} of it, ${alarms.active} of the active model; ${alarms.reproduced} of these raised by both`,
    ...differences.map(
      ({ device, by, fromMs, rows: flagged, channels }) =>
        `  only the ${by} one: ${device} from ${timeText(fromMs)}, ${flagged} rows ${channels.join(', ')}`,
    ),
  ];
}

function table(headings: readonly string[], rows: readonly (readonly string[])[], none: string): string[] {
  if (rows.length === 0) return [none];
  const all = [headings, ...rows];
  const widths = headings.map((_, i) => Math.max(...all.map(row => row[i]!.length)));
  return all.map(row =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd(),
  );
}

function timeText(ms: number): string {
  return new Date(ms).toISOString().slice(0, 16).replace('T', ' ');
}
