import type { IncidentChannel } from '../alerts/incident.js';
import { h, KeyedList, type Part, setText } from './dom.js';
import { measured, unitText, words } from './format.js';

const columns = ['Value', 'Usual or limit', 'Direction', 'Share'] as const;
const directions = { high: '▲ high', low: '▼ low', unusual: '◆ unusual' } as const;
const widestBarPx = 64;

/** The channels that caused an incident, largest part first. */
export function channelTable(): { node: HTMLElement; set(channels: readonly IncidentChannel[]): void } {
  const rows = h('tbody');
  const list = new KeyedList<IncidentChannel>(rows, one => one.field, channelRow);
  const names = ['Channel', ...columns].map(name => h('th', { scope: 'col' }, name));
  const node = h('table', { class: 'stacked channels' }, h('thead', {}, h('tr', {}, ...names)), rows);
  return { node, set: channels => list.set(channels) };
}

function channelRow(): Part<IncidentChannel> {
  const cell = (label: (typeof columns)[number]) => h('td', { 'data-label': label });
  const [value, usual, direction, part] = [
    cell('Value'),
    cell('Usual or limit'),
    cell('Direction'),
    cell('Share'),
  ];
  const bar = h('i', { class: 'weight', 'aria-hidden': 'true' });
  const share = h('span');
  part.append(bar, share);
  const name = h('th', { scope: 'row' });
  return {
    node: h('tr', {}, name, value, usual, direction, part),
    update: one => {
      setText(name, one.of ?? words(one.field));
      setText(value, `${measured(one.value)} ${unitText(one.unit)}`);
      setText(usual, usualText(one));
      setText(direction, directions[one.direction]);
      setText(share, `${Math.round(one.weight * 100)} %`);
      bar.style.width = `${Math.round(one.weight * widestBarPx)}px`;
    },
  };
}

function usualText({ expected, limit, unit }: IncidentChannel): string {
  if (limit !== undefined) return `limit ${measured(limit)} ${unitText(unit)}`;
  if (!expected) return '–';
  return `${measured(expected[0])} … ${measured(expected[1])} ${unitText(unit)}`;
}
