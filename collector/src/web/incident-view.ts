import type { Incident, IncidentChannel } from '../alerts/incident.js';
import { api } from './api.js';
import { ChartGroup } from './chart-group.js';
import { type Child, empty, h, heading, KeyedList, type Part, setText } from './dom.js';
import { deviceAddress } from './fleet-device.js';
import { count, measured, moment, score, setMoment, unitText, words } from './format.js';
import { durationOf, severityMark } from './incident-parts.js';
import { mailRow } from './mail-parts.js';
import { keepMs } from './series-buffer.js';
import type { Store } from './store.js';
import type { OpenView } from './view.js';

const beforeMs = 60_000;
const afterMs = 60_000;

/** `#/incident/<id>`: what happened, which channels, around when, what to do. */
export const incidentView: OpenView = (store, [id = '']) => {
  const title = heading('Incident');
  const body = h('div', {}, h('p', { class: 'note' }, 'Loading…'));
  const root = h('div', {}, h('nav', { class: 'crumbs', 'aria-label': 'Path' }, allLink()), title, body);
  let report: Report | undefined;
  let asked = false;
  const fetchOld = async () => {
    asked = true;
    try {
      store.apply({ kind: 'incident', incident: await api.incident(id) });
    } catch {
      body.replaceChildren(empty('This incident is not known', 'It may be too old. ', allLink()));
    }
  };
  return {
    title: 'Incident',
    root,
    update: changed => {
      const incident = store.incidents.get(id);
      if (!incident) {
        if (store.loaded && !asked) void fetchOld();
        return;
      }
      if (!report) {
        report = new Report(store, incident);
        body.replaceChildren(report.root);
      }
      setText(title, incident.title);
      report.update(incident, changed);
    },
    close: () => report?.close(),
  };
};

class Report {
  readonly root: HTMLElement;
  readonly #facts = h('dl', { class: 'figures facts' });
  readonly #mark = h('p', { class: 'incident-state' });
  readonly #channels: KeyedList<IncidentChannel>;
  readonly #timeline: KeyedList<{ atMs: number; text: string }>;
  readonly #mails: KeyedList<Parameters<typeof mailRow>[0]>;
  readonly #plot = h('div');
  readonly #mailPanel: HTMLElement;
  #charts: ChartGroup | undefined;
  #loadedUntil = 0;
  #loading = false;

  constructor(
    private readonly store: Store,
    incident: Incident,
  ) {
    const rows = h('tbody');
    const notes = h('ol', { class: 'timeline plain' });
    const mails = h('ul', { class: 'rows plain' });
    this.#channels = new KeyedList(rows, one => one.field, channelRow);
    this.#timeline = new KeyedList(notes, one => `${one.atMs} ${one.text}`, noteRow);
    this.#mails = new KeyedList(mails, one => one.id, mailRow);
    const advice = h('ol', { class: 'advice' }, ...incident.recommendations.map(text => h('li', {}, text)));
    this.#mailPanel = panel('Mails', mails);
    const side = h(
      'div',
      {},
      panel('What to do', advice, 'advice-panel'),
      panel('Timeline', notes),
      this.#mailPanel,
    );
    const main = h(
      'div',
      {},
      panel('Channels that caused it', channelTable(rows), 'channels-panel'),
      panel('Around the onset', this.#plot),
    );
    this.root = h('div', {}, this.#mark, this.#facts, h('div', { class: 'two report' }, main, side));
  }

  update(incident: Incident, changed: ReadonlySet<string>): void {
    this.#mark.replaceChildren(severityMark(incident), stateText(incident), deviceLink(incident));
    this.#facts.replaceChildren(...factsOf(incident));
    this.#channels.set(incident.channels);
    this.#timeline.set(incident.timeline);
    const mails = [...this.store.mails.values()].filter(one => one.incidentId === incident.id);
    this.#mails.set(mails);
    this.#mailPanel.hidden = mails.length === 0;
    if (changed.has('theme')) this.#loadedUntil = 0;
    void this.#load(incident);
  }

  close(): void {
    this.#charts?.destroy();
  }

  /** The picture grows until a minute after the onset; then it stands. */
  async #load(incident: Incident): Promise<void> {
    const device = this.store.devices.get(`${incident.gateway}/${incident.device}`);
    const [from, to] = [incident.firstMs - beforeMs, incident.firstMs + afterMs];
    const until = Math.min(to, device?.lastRowMs ?? to);
    if (!device || this.#loading || until - this.#loadedUntil < 2000) return;
    this.#loading = true;
    try {
      const named = incident.channels.map(one => one.field);
      const fields = device.fields.filter(one => one.kind !== 'string' && named.includes(one.name));
      const { gateway, device: name } = incident;
      const names = fields.map(one => one.name);
      const query = { gateway, device: name, fields: names, fromMs: from, toMs: to, maxPoints: 1200 };
      const data = await api.series(query);
      if (data.time.length === 0) return void this.#plot.replaceChildren(gone());
      if (!this.#charts || this.#loadedUntil === 0) this.#open(fields, incident);
      this.#charts?.set(data, [from, to]);
      this.#loadedUntil = until;
    } catch {
      this.#plot.replaceChildren(gone());
      this.#loadedUntil = to;
    } finally {
      this.#loading = false;
    }
  }

  #open(fields: ConstructorParameters<typeof ChartGroup>[0]['fields'], incident: Incident): void {
    this.#charts?.destroy();
    this.#charts = new ChartGroup({ fields, threshold: incident.threshold, onsetMs: incident.firstMs });
    this.#plot.replaceChildren(this.#charts.root);
  }
}

function gone(): HTMLElement {
  const minutes = Math.round(keepMs / 60_000);
  return h(
    'p',
    { class: 'note' },
    `The live history of that time is gone; it keeps at least ${minutes} minutes.`,
  );
}

function channelTable(rows: HTMLElement): HTMLElement {
  const names = ['Channel', 'Value', 'Usual', 'Direction', 'Share'];
  const head = h('thead', {}, h('tr', {}, ...names.map(name => h('th', { scope: 'col' }, name))));
  return h('table', { class: 'stacked channels' }, head, rows);
}

function channelRow(channel: IncidentChannel): Part<IncidentChannel> {
  const cells = ['Value', 'Usual', 'Direction', 'Share'].map(label => h('td', { 'data-label': label }));
  const bar = h('i', { class: 'weight', 'aria-hidden': 'true' });
  const share = h('span');
  cells[3]?.append(bar, share);
  const node = h('tr', {}, h('th', { scope: 'row' }, words(channel.field)), ...cells);
  return {
    node,
    update: one => {
      const [value, usual, direction] = cells;
      const unit = unitText(one.unit);
      if (value) setText(value, `${measured(one.value)} ${unit}`);
      const range = one.expected;
      if (usual) setText(usual, range ? `${measured(range[0])} … ${measured(range[1])} ${unit}` : '–');
      if (direction) setText(direction, directions[one.direction]);
      setText(share, `${Math.round(one.weight * 100)} %`);
      bar.style.width = `${Math.round(one.weight * 64)}px`;
    },
  };
}

const directions = { high: '▲ high', low: '▼ low', unusual: '◆ unusual' } as const;

function noteRow(note: { atMs: number; text: string }): Part<{ atMs: number; text: string }> {
  const when = h('time');
  const node = h('li', {}, when, h('span', {}, note.text));
  return { node, update: one => setMoment(when, one.atMs) };
}

function factsOf(incident: Incident): HTMLElement[] {
  const fact = (name: string, value: Child) =>
    h('div', { class: 'figure' }, h('dt', {}, name), h('dd', {}, value));
  return [
    fact('began', moment(incident.firstMs)),
    fact('lasted', durationOf(incident)),
    fact('peak score', `${score(incident.peakScore)} / ${score(incident.threshold)}`),
    fact('flagged rows', count(incident.rows)),
    fact('found by', `${incident.detector}: ${incident.source}`),
  ];
}

function stateText(incident: Incident): HTMLElement {
  return h('span', { class: 'state' }, incident.state);
}

function deviceLink(incident: Incident): HTMLElement {
  const place = [incident.site, incident.gateway, incident.device].filter(Boolean).join(' / ');
  return h('a', { href: deviceAddress(incident) }, place);
}

function panel(name: string, content: HTMLElement, kind = ''): HTMLElement {
  return h('section', { class: `panel ${kind}` }, h('h2', {}, name), content);
}

function allLink(): HTMLElement {
  return h('a', { href: '#/incidents' }, 'All incidents');
}
