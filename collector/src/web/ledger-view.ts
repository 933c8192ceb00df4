import type { LedgerTerms, LedgerView } from '../views.js';
import { empty, h, heading, KeyedList, type Part, setAttribute, setText } from './dom.js';
import { count } from './format.js';
import type { OpenView } from './view.js';

const columns = [
  ['read', 'read'],
  ['stored', 'stored'],
  ['inFlight', 'in flight'],
  ['rejected', 'rejected'],
  ['thinned', 'thinned'],
  ['dropped', 'dropped'],
  ['damaged', 'damaged'],
] as const satisfies readonly (readonly [keyof LedgerTerms, string])[];

interface Line extends LedgerTerms {
  readonly key: string;
  readonly name: string;
  readonly kind: 'gateway' | 'device';
  readonly balanced: boolean;
}

export const ledgerView: OpenView = store => {
  const verdict = h('p', { class: 'verdict', role: 'status' });
  const body = h('tbody');
  const list = new KeyedList<Line>(body, one => one.key, ledgerRow);
  const names = ['', ...columns.map(([, name]) => name), 'balance'];
  const head = h('thead', {}, h('tr', {}, ...names.map(name => h('th', { scope: 'col' }, name))));
  const table = h('table', { class: 'stacked ledger' }, head, body);
  const explanation = h(
    'p',
    { class: 'note' },
    'Every row a gateway has read is accounted for: read = stored + in flight + rejected + thinned + dropped + damaged, ',
    'each counted by itself. Numbers of a gateway are those of its last report.',
  );
  const notes = h('p', { class: 'note' });
  const panel = h('section', { class: 'panel' }, table);
  const nothing = empty('Nothing to account for yet', 'Rows appear here as soon as a gateway has reported.');
  return {
    title: 'Ledger',
    root: h('div', {}, heading('Ledger'), explanation, verdict, notes, nothing, panel),
    update: () => {
      const { ledger } = store;
      const lines = ledger ? linesOf(ledger) : [];
      list.set(lines);
      panel.hidden = verdict.hidden = lines.length === 0;
      nothing.hidden = lines.length > 0 || !store.loaded;
      if (!ledger) return;
      const said = notesOf(ledger);
      notes.hidden = said === '';
      setText(notes, said);
      const read = ledger.gateways.reduce((sum, one) => sum + one.read, 0);
      const good = `✓ balanced: all ${count(read)} rows read are accounted for`;
      setText(verdict, ledger.balanced ? good : '✗ not balanced: the marked lines do not add up');
      setAttribute(verdict, 'data-bad', ledger.balanced ? undefined : 'yes');
    },
  };
};

/** What the columns do not say. */
function notesOf(ledger: LedgerView): string {
  const sum = (term: 'earlier' | 'recovered') => ledger.gateways.reduce((rows, one) => rows + one[term], 0);
  const [earlier, recovered] = [sum('earlier'), sum('recovered')];
  const notes = [
    earlier > 0 && `${count(earlier)} rows were delivered before this journal began, to another one.`,
    recovered > 0 &&
      `${count(recovered)} rows, counted as read and stored, are of agents that were killed before they could note them.`,
    ...ledger.sinks.map(
      ({ sink, rows }) =>
        `Sink ${sink} never got ${count(rows)} rows: it lagged until the journal gave its blocks up.`,
    ),
  ];
  return notes.filter(Boolean).join(' ');
}

function linesOf(ledger: LedgerView): Line[] {
  return ledger.gateways.flatMap(gateway => [
    { ...gateway, key: gateway.id, name: gateway.id, kind: 'gateway' as const },
    ...ledger.devices
      .filter(one => one.gateway === gateway.id)
      .map(one => ({
        ...one,
        key: `${one.gateway}/${one.outbox}/${one.device}`,
        name: one.closed ? `${one.device} (former outbox)` : one.device,
        kind: 'device' as const,
      })),
  ]);
}

function ledgerRow(line: Line): Part<Line> {
  const cells = columns.map(([, name]) => h('td', { 'data-label': name }));
  const balance = h('td', { 'data-label': 'balance', class: 'balance' });
  const node = h('tr', { class: line.kind }, h('th', { scope: 'row' }, line.name), ...cells, balance);
  return {
    node,
    update: one => {
      columns.forEach(([column], i) => {
        const cell = cells[i];
        if (!cell) return;
        setText(cell, count(one[column]));
        setAttribute(cell, 'data-zero', one[column] === 0 ? 'yes' : undefined);
      });
      setText(balance, one.balanced ? '✓' : '✗ off');
      setAttribute(balance, 'aria-label', one.balanced ? 'balanced' : 'not balanced');
      setAttribute(node, 'data-bad', one.balanced ? undefined : 'yes');
    },
  };
}
