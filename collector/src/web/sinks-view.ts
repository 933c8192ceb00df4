import type { SinkView } from '../views.js';
import { empty, h, heading, KeyedList } from './dom.js';
import { sinkCard } from './sink-card.js';
import type { OpenView } from './view.js';

/** `#/sinks`: where the journal is copied to, a card for each. */
export const sinksView: OpenView = store => {
  const cards = h('ul', { class: 'cards sinks plain' });
  const list = new KeyedList<SinkView>(
    cards,
    one => one.name,
    one => sinkCard(one, store),
  );
  const nothing = empty(
    'No sink is configured',
    'What arrives is kept in the journal and shown here. To copy it to Kafka, InfluxDB or files, name them under ',
    h('code', {}, 'sinks'),
    ' in the configuration, and have it read again with ',
    h('code', {}, 'edgeward sinks -c collector.yaml --reload'),
    '.',
  );
  const explanation = h(
    'p',
    { class: 'note' },
    'Each sink follows the journal by itself: a slow one holds up no other. Those that receipts wait for hold up what ' +
      'gateways may forget.',
  );
  return {
    title: 'Sinks',
    root: h('div', {}, heading('Sinks'), explanation, nothing, cards),
    update: () => {
      list.set(store.sinks);
      nothing.hidden = store.sinks.length > 0 || !store.loaded;
      explanation.hidden = store.sinks.length === 0;
    },
  };
};
