import { empty, h, heading, KeyedList } from './dom.js';
import { incidentRow } from './incident-parts.js';
import type { OpenView } from './view.js';

export const incidentsView: OpenView = store => {
  const section = (name: string) => {
    const rows = h('ul', { class: 'rows plain' });
    const node = h('section', { class: 'panel' }, h('h2', {}, name), rows);
    return { node, list: new KeyedList(rows, one => one.id, incidentRow) };
  };
  const open = section('Open');
  const closed = section('Closed');
  const nothing = empty(
    'No incident so far',
    'Flagged rows that persist become an incident here, with the channels that caused it.',
  );
  return {
    title: 'Incidents',
    root: h('div', {}, heading('Incidents'), nothing, open.node, closed.node),
    update: () => {
      const all = store.incidentList();
      const [opened, ended] = [
        all.filter(one => one.state === 'open'),
        all.filter(one => one.state !== 'open'),
      ];
      open.list.set(opened);
      closed.list.set(ended);
      open.node.hidden = opened.length === 0;
      closed.node.hidden = ended.length === 0;
      nothing.hidden = all.length > 0 || !store.loaded;
    },
  };
};
