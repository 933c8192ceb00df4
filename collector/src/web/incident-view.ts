import type { Incident, IncidentNote } from '../alerts/incident.js';
import type { MailView } from '../views.js';
import { alarmPlot } from './alarm-plot.js';
import { api } from './api.js';
import { causesPanel } from './causes-panel.js';
import { empty, h, heading, KeyedList, type Part, setAttribute, setText } from './dom.js';
import { deviceAddress } from './fleet-device.js';
import { count, score, setMoment } from './format.js';
import { handlingBar } from './handling-bar.js';
import { durationOf, placeOf, severityMark } from './incident-parts.js';
import { mailRow } from './mail-parts.js';
import { OnsetPlot } from './onset-plot.js';
import type { Store } from './store.js';
import type { OpenView } from './view.js';
import { wordingPanel } from './wording-panel.js';

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
      if (!incident && store.loaded && !asked) void fetchOld();
      if (!incident) return;
      report ??= new Report(store, id);
      if (body.firstChild !== report.root) body.replaceChildren(report.root);
      setText(title, incident.title);
      report.update(incident, changed.has('theme'));
    },
    close: () => report?.close(),
  };
};

class Report {
  readonly root: HTMLElement;
  readonly #head = headLine();
  readonly #facts = factList();
  readonly #handling: Part<Incident>;
  readonly #causes = causesPanel();
  readonly #why = alarmPlot();
  readonly #plot: OnsetPlot;
  readonly #wording = wordingPanel();
  readonly #advice: KeyedList<string>;
  readonly #timeline: KeyedList<IncidentNote>;
  readonly #mails: KeyedList<MailView>;
  readonly #mailPanel: HTMLElement;

  constructor(
    private readonly store: Store,
    id: string,
  ) {
    const advice = h('ol', { class: 'advice' });
    const notes = h('ol', { class: 'timeline plain' });
    const mails = h('ul', { class: 'rows plain' });
    this.#advice = new KeyedList(advice, text => text, adviceRow);
    this.#timeline = new KeyedList(notes, one => `${one.atMs} ${one.text}`, noteRow);
    this.#mails = new KeyedList(mails, one => one.id, mailRow);
    this.#handling = handlingBar(id, incident => store.apply({ kind: 'incident', incident }));
    this.#plot = new OnsetPlot(store);
    this.#mailPanel = panel('Mails', mails);
    const why = panel('Why this alarm', this.#why.node, 'why-panel');
    const plot = panel('Around the onset', this.#plot.root);
    const main = h('div', {}, this.#causes.node, this.#wording.node, why, plot);
    const side = h(
      'div',
      {},
      panel('What to do', advice, 'advice-panel'),
      panel('Timeline', notes),
      this.#mailPanel,
    );
    this.root = h(
      'div',
      {},
      this.#head.node,
      this.#facts.node,
      this.#handling.node,
      h('div', { class: 'two report' }, main, side),
    );
  }

  update(incident: Incident, repaint: boolean): void {
    this.#head.update(incident);
    this.#facts.update(incident);
    this.#handling.update(incident);
    this.#causes.update(incident);
    this.#why.update(incident);
    this.#wording.update(incident);
    this.#advice.set([...new Set(incident.recommendations)]);
    this.#timeline.set(incident.timeline);
    const mails = [...this.store.mails.values()].filter(one => one.incidentId === incident.id);
    this.#mails.set(mails);
    this.#mailPanel.hidden = mails.length === 0;
    this.#plot.update(incident, repaint);
  }

  close(): void {
    this.#plot.close();
  }
}

function headLine(): Part<Incident> {
  const mark = h('span');
  const state = h('span', { class: 'state' });
  const place = h('a');
  const whole = h('a');
  return {
    node: h('p', { class: 'incident-state' }, mark, state, place, whole),
    update: incident => {
      mark.replaceChildren(severityMark(incident));
      const { peakSeverity } = incident;
      setText(state, peakSeverity ? `${incident.state}, ${peakSeverity} at its worst` : incident.state);
      setText(place, placeOf(incident));
      setAttribute(place, 'href', deviceAddress(incident));
      whole.hidden = incident.partOf === undefined;
      setText(whole, 'part of a larger incident');
      setAttribute(whole, 'href', `#/incident/${encodeURIComponent(incident.partOf ?? '')}`);
    },
  };
}

function factList(): Part<Incident> {
  const began = h('time');
  const [lasted, peak, rows, found] = [h('dd'), h('dd'), h('dd'), h('dd')];
  const fact = (name: string, value: HTMLElement) => h('div', { class: 'figure' }, h('dt', {}, name), value);
  const facts = [
    fact('began', h('dd', {}, began)),
    fact('lasted', lasted),
    fact('peak score / threshold', peak),
    fact('flagged rows', rows),
    fact('found by', found),
  ];
  return {
    node: h('dl', { class: 'figures facts' }, ...facts),
    update: incident => {
      setMoment(began, incident.firstMs);
      setText(lasted, durationOf(incident));
      setText(peak, `${score(incident.peakScore)} / ${score(incident.threshold)}`);
      setText(rows, count(incident.rows));
      setText(found, `${incident.detector}: ${incident.source}`);
    },
  };
}

function adviceRow(text: string): Part<string> {
  return { node: h('li', {}, text), update: () => {} };
}

function noteRow(note: IncidentNote): Part<IncidentNote> {
  const when = h('time');
  const node = h('li', {}, when, h('span', {}, note.text));
  return { node, update: one => setMoment(when, one.atMs) };
}

function panel(name: string, content: HTMLElement, kind = ''): HTMLElement {
  return h('section', { class: `panel ${kind}` }, h('h2', {}, name), content);
}

function allLink(): HTMLElement {
  return h('a', { href: '#/incidents' }, 'All incidents');
}
