import type { EventView } from '../views.js';
import { empty, h, heading, KeyedList, type Part } from './dom.js';
import { moment } from './format.js';
import type { OpenView } from './view.js';

export const eventsView: OpenView = store => {
  const rows = h('ul', { class: 'rows plain' });
  const list = new KeyedList<EventView>(rows, keyOf, eventRow);
  const panel = h('section', { class: 'panel' }, rows);
  const nothing = empty(
    'No event so far',
    'Gateways report here what must not pass silently: gaps, damage, dropped rows, models, sources.',
  );
  return {
    title: 'Events',
    root: h('div', {}, heading('Events'), nothing, panel),
    update: () => {
      list.set(unique(store.events));
      panel.hidden = store.events.length === 0;
      nothing.hidden = store.events.length > 0 || !store.loaded;
    },
  };
};

function keyOf({ gateway, atMs, kind, text }: EventView): string {
  return `${atMs} ${gateway} ${kind} ${text}`;
}

/** The same event told twice is one line. */
function unique(events: readonly EventView[]): EventView[] {
  return [...new Map(events.map(event => [keyOf(event), event])).values()];
}

function eventRow(event: EventView): Part<EventView> {
  const kind = h('span', { class: `kind ${event.kind}` }, event.kind);
  const what = h(
    'span',
    { class: 'what' },
    h('span', {}, event.text),
    h('span', { class: 'place' }, event.gateway),
  );
  return { node: h('li', { class: 'row event' }, kind, what, moment(event.atMs)), update: () => {} };
}
