import type { Incident } from '../alerts/incident.js';
import { api } from './api.js';
import { ChartGroup } from './chart-group.js';
import { h } from './dom.js';
import type { Store } from './store.js';

const beforeMs = 60_000;
const afterMs = 60_000;
const reloadMs = 2000;

/** The channels of an incident around its onset. Grows until a minute after it; then it stands. */
export class OnsetPlot {
  readonly root = h('div');
  #charts: ChartGroup | undefined;
  #loadedUntil = 0;
  #loading = false;

  constructor(private readonly store: Store) {}

  update(incident: Incident, repaint: boolean): void {
    if (repaint) this.#loadedUntil = 0;
    const device = this.store.devices.get(`${incident.gateway}/${incident.device}`);
    const until = Math.min(incident.firstMs + afterMs, device?.lastRowMs ?? 0);
    if (this.#loading || until - this.#loadedUntil < reloadMs) return;
    const anew = this.#loadedUntil === 0;
    this.#loadedUntil = until;
    void this.#load(incident, anew);
  }

  close(): void {
    this.#charts?.destroy();
  }

  async #load(incident: Incident, anew: boolean): Promise<void> {
    this.#loading = true;
    try {
      await this.#draw(incident, anew);
    } catch {
      this.root.replaceChildren(note('The plot could not be loaded.'));
    } finally {
      this.#loading = false;
    }
  }

  async #draw(incident: Incident, anew: boolean): Promise<void> {
    const { gateway, device, firstMs, threshold } = incident;
    const named = new Set(incident.channels.map(one => one.field));
    const known = this.store.devices.get(`${gateway}/${device}`)?.fields ?? [];
    const fields = known.filter(one => one.kind !== 'string' && named.has(one.name));
    const [fromMs, toMs] = [firstMs - beforeMs, firstMs + afterMs];
    const names = fields.map(one => one.name);
    const data = await api.series({ gateway, device, fields: names, fromMs, toMs, maxPoints: 1200 });
    if (data.time.length === 0) {
      this.root.replaceChildren(note('The live history no longer reaches back to that time.'));
      return;
    }
    if (anew || !this.#charts) {
      this.#charts?.destroy();
      this.#charts = new ChartGroup({ fields, threshold, onsetMs: firstMs, among: known });
      this.root.replaceChildren(this.#charts.root);
    }
    this.#charts.set(data, [fromMs, toMs]);
  }
}

function note(text: string): HTMLElement {
  return h('p', { class: 'note' }, text);
}
