import type { Incident } from '../alerts/incident.js';
import type { DeviceView } from '../views.js';
import { api } from './api.js';
import { empty, h, heading, KeyedList, type Part, setAttribute, setText } from './dom.js';
import { count } from './format.js';
import { headOf, type Kind, kinds, type Last, shownName } from './pipeline-columns.js';
import { drawTrend, sparkCanvas } from './spark.js';
import type { Store } from './store.js';
import type { OpenView } from './view.js';

/** As often as the collector looks, unless told otherwise. */
export const everyMs = 5000;
/** Values of a small line: ten minutes. */
const trendValues = 120;
/** As many as one can look through; those with trouble come first. */
const mostShown = 200;
const mostFilled = 24;

interface Line {
  readonly device: string;
  readonly last: Last;
  readonly incident: Incident | undefined;
  readonly trend: readonly number[];
}

/** `#/pipeline`: the collector, its sinks and the gateways, as the collector watches them. */
export const pipelineView: OpenView = store => {
  const poll = new PipelinePoll();
  const tables = kinds.map(kind => tableOf(kind));
  const note = h('p', { class: 'note', role: 'status' });
  const nothing = empty(
    'Nothing is watched yet',
    'The first look at the pipeline comes a few seconds after the start; it may be turned off under ',
    h('code', {}, 'health'),
    '.',
  );
  const draw = () => {
    setText(note, poll.failure ?? '');
    nothing.hidden = poll.devices.length > 0 || !poll.isLoaded;
    const incidents = troubles(store);
    kinds.forEach(({ type }, i) => {
      const lines = poll.devices
        .filter(one => one.type === type)
        .map(({ device, last }) => ({
          ...{ device, last, incident: incidents.get(device) },
          trend: poll.trends.get(device) ?? [],
        }));
      tables[i]?.update(lines);
    });
  };
  poll.start(draw);
  const explanation = h(
    'p',
    { class: 'note' },
    'The way of the data, watched as machines are: from gateway to collector, and on to each sink. Delays are those of ' +
      'rows in the last few seconds; choose a name to see the last hour.',
  );
  const parts = [heading('Pipeline'), explanation, note, nothing, ...tables.map(({ node }) => node)];
  return { title: 'Pipeline', root: h('div', {}, ...parts), update: draw, close: () => poll.stop() };
};

/** Asks while the view is open: these rows are not in the stream. */
class PipelinePoll {
  devices: readonly DeviceView[] = [];
  readonly trends = new Map<string, number[]>();
  failure: string | undefined;
  isLoaded = false;
  readonly #newestMs = new Map<string, number>();
  readonly #asked = new Set<string>();
  #timer: number | undefined;
  #isStopped = false;

  start(draw: () => void): void {
    const ask = async () => {
      try {
        this.#take(await api.devices({ gateway: '_pipeline' }));
        this.failure = undefined;
        if (!this.#isStopped) draw();
        await this.#fill();
      } catch (error) {
        this.failure = `The newest rows could not be loaded: ${error instanceof Error ? error.message : error}`;
      }
      if (this.#isStopped) return;
      draw();
      this.#timer = window.setTimeout(() => void ask(), everyMs);
    };
    void ask();
  }

  stop(): void {
    this.#isStopped = true;
    window.clearTimeout(this.#timer);
  }

  #take(devices: readonly DeviceView[]): void {
    this.devices = devices;
    this.isLoaded = true;
    const names = new Set(devices.map(({ device }) => device));
    for (const name of this.trends.keys()) if (!names.has(name)) this.trends.delete(name);
    for (const { device, type, last, lastRowMs } of devices) {
      if (this.#newestMs.get(device) === lastRowMs) continue;
      this.#newestMs.set(device, lastRowMs);
      const value = last[trendOf(type)];
      if (typeof value === 'number') this.#trendOf(device).push(value);
      this.trends.get(device)?.splice(0, this.#trendOf(device).length - trendValues);
    }
  }

  #trendOf(device: string): number[] {
    const trend = this.trends.get(device) ?? [];
    this.trends.set(device, trend);
    return trend;
  }

  /** What was before, for as many as fit on a screen; the others grow from now on. */
  async #fill(): Promise<void> {
    const fresh = this.devices.filter(({ device }) => !this.#asked.has(device));
    for (const { gateway, device, type, lastRowMs } of fresh.slice(0, mostFilled - this.#asked.size)) {
      if (this.#isStopped) return;
      this.#asked.add(device);
      const field = trendOf(type);
      const window = { fromMs: lastRowMs - trendValues * everyMs, toMs: lastRowMs - 1 };
      const past = await api.series({ gateway, device, fields: [field], ...window, maxPoints: trendValues });
      const before = (past.values[field] ?? []).filter(value => typeof value === 'number');
      this.trends.set(device, [...before, ...this.#trendOf(device)].slice(-trendValues));
    }
  }
}

const trendOf = (type: string) => kinds.find(kind => kind.type === type)?.trend ?? '';

/** The gravest open incident of each device of the pipeline; one of several gateways is one of each. */
function troubles(store: Store): Map<string, Incident> {
  const grades = ['info', 'warning', 'critical'];
  const found = new Map<string, Incident>();
  const note = (device: string, incident: Incident) => {
    const known = found.get(device);
    if (!known || grades.indexOf(incident.severity) > grades.indexOf(known.severity))
      found.set(device, incident);
  };
  for (const incident of store.openIncidents()) {
    if (incident.detector !== 'pipeline') continue;
    note(incident.device, incident);
    if (incident.source.endsWith(' gateways'))
      for (const gateway of incident.affected ?? []) note(gateway, incident);
  }
  return found;
}

function tableOf(kind: Kind): Part<readonly Line[]> {
  const body = h('tbody');
  const list = new KeyedList<Line>(
    body,
    one => one.device,
    one => lineOf(kind, one),
  );
  const more = h('p', { class: 'note more' });
  const title = h('h2', {}, kind.title);
  const table = h('table', { class: 'stacked pipeline' }, headOf(kind), body);
  const node = h('section', { class: 'panel' }, title, h('div', { class: 'wide' }, table), more);
  return {
    node,
    update: lines => {
      node.hidden = lines.length === 0;
      const sorted = [...lines].sort((a, b) => rank(a) - rank(b) || (a.device < b.device ? -1 : 1));
      list.set(sorted.slice(0, mostShown));
      more.hidden = sorted.length <= mostShown;
      setText(more, `And ${count(sorted.length - mostShown)} more, all of them well.`);
      if (sorted.slice(mostShown).some(one => rank(one) < 2))
        setText(more, `And ${count(sorted.length - mostShown)} more.`);
    },
  };
}

/** Trouble first, then what is not connected. */
function rank({ incident, last }: Line): number {
  if (incident) return 0;
  return last.online === 0 ? 1 : 2;
}

function lineOf(kind: Kind, { device }: Line): Part<Line> {
  const cells = kind.columns.map(({ label }) => h('td', { 'data-label': label }));
  const state = h('td', { 'data-label': 'state', class: 'state' });
  const canvas = sparkCanvas();
  const name = h('a', { href: `#/pipeline/${encodeURIComponent(device)}` }, shownName(device));
  const trend = h('td', { 'data-label': kind.trendLabel, class: 'trend' }, canvas);
  const node = h('tr', {}, h('th', { scope: 'row' }, name), state, ...cells, trend);
  return {
    node,
    update: ({ last, incident, trend: values }) => {
      setAttribute(node, 'data-severity', incident?.severity);
      setAttribute(node, 'data-away', !incident && last.online === 0 ? 'yes' : undefined);
      tellState(state, last, incident);
      kind.columns.forEach(({ of }, i) => {
        const cell = cells[i];
        if (cell) setText(cell, of(last));
      });
      const highest = values.length > 0 ? Math.max(...values) : 0;
      const most = highest.toPrecision(3);
      drawTrend(
        canvas,
        values,
        trendValues,
        `${kind.trendLabel} of the last ${values.length} looks; at most ${most}`,
      );
    },
  };
}

function tellState(cell: HTMLElement, last: Last, incident: Incident | undefined): void {
  if (!incident) {
    setText(cell, last.online === 0 ? '○ not connected' : '● well');
    delete cell.dataset.incident;
    return;
  }
  if (cell.dataset.incident !== incident.id)
    cell.replaceChildren(h('a', { href: `#/incident/${encodeURIComponent(incident.id)}` }));
  cell.dataset.incident = incident.id;
  const [link] = cell.children;
  if (link) setText(link, `▲ ${incident.title}`);
}
