import type { Incident } from '../alerts/incident.js';
import { collectorNow } from './api.js';
import { h, type Part, setAttribute, setText } from './dom.js';
import { count, score, setMoment, span } from './format.js';

const shapes = { info: '●', warning: '▲', critical: '■' } as const;

/** Severity as colour, shape and word. */
export function severityMark(incident: Pick<Incident, 'severity' | 'state'>): HTMLElement {
  return h(
    'span',
    { class: `severity ${incident.severity}`, 'data-state': incident.state },
    h('span', { 'aria-hidden': 'true' }, `${shapes[incident.severity]} `),
    incident.severity,
  );
}

export function durationOf(incident: Incident): string {
  return span((incident.closedMs ?? collectorNow()) - incident.firstMs);
}

/** `north / line-2 / press-4 / pump-1`, or by gateway where nothing is known of the plant. */
export function placeOf({ site, gateway, device, asset }: Incident): string {
  const path = asset ? asset.path.split('/') : [site, gateway];
  return [...path, device].filter(Boolean).join(' / ');
}

/** One line of an incident list. */
export function incidentRow(incident: Incident): Part<Incident> {
  const when = h('time');
  const title = h('a', { class: 'title', href: `#/incident/${encodeURIComponent(incident.id)}` });
  const state = h('span', { class: 'state' });
  const facts = h('span', { class: 'facts' });
  const mark = h('span', { class: 'mark' });
  const place = h('span', { class: 'place' }, placeOf(incident));
  const node = h(
    'li',
    { class: 'row incident' },
    mark,
    h('span', { class: 'what' }, title, place),
    facts,
    state,
    when,
  );
  return {
    node,
    update: one => {
      if (mark.dataset.severity !== `${one.severity}${one.state}`) mark.replaceChildren(severityMark(one));
      mark.dataset.severity = `${one.severity}${one.state}`;
      setText(title, one.title);
      setText(
        state,
        one.state === 'open' ? `open for ${durationOf(one)}` : `closed after ${durationOf(one)}`,
      );
      setText(facts, `peak ${score(one.peakScore)} · ${count(one.rows)} rows`);
      setAttribute(node, 'data-state', one.state);
      setMoment(when, one.openedMs);
    },
  };
}
