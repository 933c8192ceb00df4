import type { DeviceView } from '../views.js';
import { h, type Part, setAttribute, setText } from './dom.js';
import { measured, score, unitText, words } from './format.js';
import { drawSpark, sparkCanvas } from './spark.js';
import { deviceKey, type Store } from './store.js';

export function deviceAddress(one: { readonly gateway: string; readonly device: string }): string {
  return `#/device/${encodeURIComponent(one.gateway)}/${encodeURIComponent(one.device)}`;
}

/** A device within its gateway's card: state, newest values, the line of its scores. */
export function deviceRow(device: DeviceView, store: Store): Part<DeviceView> {
  const state = h('span', { class: 'state' });
  const canvas = sparkCanvas();
  const newest = h('span', { class: 'score' });
  const values = h('span', { class: 'values' });
  const name = h('span', { class: 'name' }, device.device, ' ', h('small', {}, device.type));
  const link = h('a', { href: deviceAddress(device) }, name, state, canvas, newest, values);
  const node = h('li', {}, link);
  return {
    node,
    update: one => {
      const alarm = one.openIncidentId !== null || one.lastAnomaly;
      setAttribute(node, 'data-alarm', alarm ? 'yes' : undefined);
      setText(state, stateOf(one));
      setText(newest, score(one.lastScore));
      setText(values, newestValues(one));
      drawSpark(canvas, store.sparks.get(deviceKey(one)), one.threshold);
    },
  };
}

function stateOf({ openIncidentId, lastAnomaly, lastQuality }: DeviceView): string {
  if (openIncidentId !== null) return '▲ incident';
  if (lastAnomaly) return '▲ flagged';
  const bad = lastQuality.filter(reason => reason !== 'warmUp');
  if (bad[0]) return `◆ ${words(bad[0])}`;
  return lastQuality.includes('warmUp') ? '◌ warming up' : '● normal';
}

/** The first few measurements: what fits beside a name. */
function newestValues({ fields, last }: DeviceView): string {
  const shown = fields.filter(field => field.kind === 'float' || field.kind === 'int').slice(0, 3);
  return shown.map(field => `${measured(last[field.name])} ${unitText(field.unit)}`.trim()).join('  ·  ');
}
