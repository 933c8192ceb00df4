import type { DeviceView, LiveUpdate } from '../views.js';
import { api, collectorNow } from './api.js';
import { ChartGroup } from './chart-group.js';
import { empty, h, heading, setAttribute, setText } from './dom.js';
import { age, score, words } from './format.js';
import { keepMs, SeriesBuffer } from './series-buffer.js';
import { deviceKey, type Store } from './store.js';
import type { OpenView, View } from './view.js';

const windows = [1, 3, 10] as const;

/** `#/device/<gateway>/<device>`: live plots of every channel under one time axis. */
export const deviceView: OpenView = (store, [gateway = '', device = '']) => {
  const body = h('div');
  const root = h('div', {}, crumbs(gateway), heading(device), body);
  const missing = empty('This device is not known', 'It may not have sent a row yet. ', fleetLink());
  let plots: LivePlots | undefined;
  return {
    title: device,
    root,
    update: changed => {
      const view = store.devices.get(`${gateway}/${device}`);
      if (view && !plots) plots = new LivePlots(store, view);
      if (!view && !plots && store.loaded) body.replaceChildren(missing);
      else if (plots && body.firstChild !== plots.root) body.replaceChildren(plots.root);
      plots?.update(changed);
    },
    close: () => plots?.close(),
  };
};

class LivePlots implements Omit<View, 'title'> {
  readonly root: HTMLElement;
  readonly #buffer: SeriesBuffer;
  readonly #charts: ChartGroup;
  readonly #facts = h('p', { class: 'device-facts' });
  readonly #trouble = h('a', { class: 'trouble-link' });
  readonly #note = h('p', { class: 'note', role: 'status' });
  readonly #end: () => void;
  #minutes: number = windows[1];
  #loading = false;
  #stale = false;
  #fresh = true;

  constructor(
    private readonly store: Store,
    private readonly device: DeviceView,
  ) {
    const plottable = device.fields.filter(field => field.kind !== 'string');
    this.#buffer = new SeriesBuffer(plottable.map(field => field.name));
    this.#charts = new ChartGroup({ fields: plottable, threshold: device.threshold, among: device.fields });
    this.#end = store.onRows(update => this.#row(update));
    const bar = h('div', { class: 'bar' }, this.#facts, this.#trouble, this.#windowButtons());
    this.root = h('div', {}, bar, this.#note, this.#charts.root);
    void this.#load();
  }

  update(changed: ReadonlySet<string>): void {
    const view = this.store.devices.get(deviceKey(this.device)) ?? this.device;
    setText(this.#facts, factsOf(view));
    this.#trouble.hidden = view.openIncidentId === null;
    setAttribute(this.#trouble, 'href', `#/incident/${encodeURIComponent(view.openIncidentId ?? '')}`);
    setText(this.#trouble, '▲ open incident');
    if (changed.has('theme')) this.#charts.repaint();
    // After a lost link there is a hole in the past.
    if (changed.has('link') && this.store.link === 'live' && !this.#fresh) this.#stale = true;
    if (this.#stale) void this.#load();
    this.#draw();
  }

  close(): void {
    this.#end();
    this.#charts.destroy();
  }

  #row(update: LiveUpdate): void {
    if (deviceKey(update) !== deviceKey(this.device)) return;
    if (!this.#buffer.append(update)) this.#stale = true;
  }

  async #load(): Promise<void> {
    if (this.#loading) return;
    this.#loading = true;
    this.#stale = false;
    const { gateway, device } = this.device;
    const now = collectorNow();
    try {
      const query = { gateway, device, fields: this.#buffer.fields, maxPoints: 2400 };
      this.#buffer.load(await api.series({ ...query, fromMs: now - keepMs, toMs: now + 60_000 }));
      setText(this.#note, '');
    } catch (error) {
      setText(this.#note, `The past could not be loaded: ${error instanceof Error ? error.message : error}`);
    } finally {
      this.#fresh = false;
      this.#draw();
      // Backlog arrives in many small pieces: one reload a while covers them all.
      setTimeout(() => {
        this.#loading = false;
      }, 2000);
    }
  }

  #draw(): void {
    const end = this.#buffer.lastMs ?? collectorNow();
    const start = end - this.#minutes * 60_000;
    this.#charts.set(this.#buffer.since(start), [start, end]);
  }

  #windowButtons(): HTMLElement {
    const buttons = windows.map(minutes => {
      const button = h('button', { type: 'button' }, `${minutes} min`);
      button.addEventListener('click', () => choose(minutes));
      return { minutes, button };
    });
    const choose = (chosen: number) => {
      this.#minutes = chosen;
      for (const { minutes, button } of buttons) {
        setAttribute(button, 'aria-pressed', minutes === chosen ? 'true' : 'false');
      }
      this.#draw();
    };
    const group = h('div', { class: 'segments', role: 'group', 'aria-label': 'Time shown' });
    group.append(...buttons.map(one => one.button));
    choose(this.#minutes);
    return group;
  }
}

function factsOf(view: DeviceView): string {
  const quality = view.lastQuality.map(words).join(', ');
  const facts = [
    view.type,
    `last row ${age(collectorNow() - view.lastRowMs)}`,
    `score ${score(view.lastScore)}`,
    view.threshold === null ? '' : `threshold ${score(view.threshold)}`,
    view.model === null ? 'no model' : `model ${view.model}`,
    quality,
  ];
  return facts.filter(Boolean).join('  ·  ');
}

function crumbs(gateway: string): HTMLElement {
  return h(
    'nav',
    { class: 'crumbs', 'aria-label': 'Path' },
    h('a', { href: '#/fleet' }, 'Fleet'),
    ' / ',
    gateway,
  );
}

function fleetLink(): HTMLElement {
  return h('a', { href: '#/fleet' }, 'Back to the fleet.');
}
