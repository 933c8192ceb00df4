import type { DeviceView, StreamMessage } from '../views.js';
import { announceIncident } from './announcer.js';
import { api } from './api.js';
import { Connection } from './connection.js';
import { openDemoBar } from './demo-bar.js';
import { byId, setAttribute, setText } from './dom.js';
import { span } from './format.js';
import { type Route, routeOf } from './router.js';
import { Scheduler } from './scheduler.js';
import { deviceKey, Store, sparkRows, type Topic } from './store.js';
import { onThemeChange } from './theme.js';
import { everything, type View } from './view.js';

const main = byId('main', HTMLElement);
const scheduler = new Scheduler(draw);
const store = new Store(topic => scheduler.mark(topic), askForDevices);
let view: View | undefined;
let updateDemo: (() => void) | undefined;
let asking = false;

function draw(changed: ReadonlySet<Topic>): void {
  view?.update(changed);
  if (changed.has('demo')) updateDemo?.();
  const open = store.openIncidents().length;
  const badge = byId('open-count', HTMLElement);
  setText(badge, String(open));
  setAttribute(badge, 'aria-label', `${open} open`);
  badge.hidden = open === 0;
  document.title = `${open > 0 ? `(${open}) ` : ''}${view?.title ?? 'Fleet'} · Edgeward`;
}

/** Devices are not in the stream: asked for at each snapshot, when a new one shows up, and every 10 s. */
async function askForDevices(): Promise<void> {
  if (asking) return;
  asking = true;
  try {
    const devices = await api.devices();
    store.setDevices(devices);
    await fillSparks(devices);
  } catch {
    // The stream notices a lost collector and says so.
  }
  // A device that only the stream knows must not be asked for at every row.
  setTimeout(() => {
    asking = false;
  }, 1000);
}

const filled = new Set<string>();
const maxFilled = 24;

/** Lines that are there at once, for the devices that fit on a screen; the others grow live. */
async function fillSparks(devices: readonly DeviceView[]): Promise<void> {
  const fresh = devices.filter(one => one.threshold !== null && !filled.has(deviceKey(one)));
  for (const { gateway, device, lastRowMs, fields } of fresh.slice(0, maxFilled - filled.size)) {
    const key = deviceKey({ gateway, device });
    filled.add(key);
    const some = fields.filter(field => field.kind !== 'string').slice(0, 1);
    const query = { gateway, device, fields: some.map(field => field.name), maxPoints: 2 * sparkRows };
    const past = await api.series({ ...query, fromMs: lastRowMs - 40_000, toMs: lastRowMs });
    store.fillSpark(key, { score: [...past.score], anomaly: [...past.anomaly] });
  }
}

function show(route: Route): void {
  view?.close?.();
  view = route.open(store, route.parameters);
  main.replaceChildren(view.root);
  for (const link of document.querySelectorAll('header nav a')) {
    setAttribute(link, 'aria-current', link.getAttribute('href') === `#/${route.entry}` ? 'page' : undefined);
  }
  draw(everything);
}

function message(received: StreamMessage, fresh: boolean): void {
  const news = received.kind === 'incident' && !store.incidents.has(received.incident.id);
  store.apply(received);
  if (fresh && news && received.kind === 'incident') announceIncident(received.incident);
}

const lost = byId('lost', HTMLElement);
const connection = new Connection({
  opened: () => store.startSnapshot(),
  message,
  ready: async demo => {
    await askForDevices();
    store.loaded = true;
    store.setLink('live');
    showLink();
    if (demo && !updateDemo) await showDemo();
  },
  lost: retryMs => {
    store.setLink('lost');
    setText(
      byId('lost-text', HTMLElement),
      `Connection to the collector lost. Trying again in ${span(retryMs)}.`,
    );
    showLink();
  },
});

async function showDemo(): Promise<void> {
  updateDemo = await openDemoBar(byId('demo', HTMLElement), store);
  updateDemo();
}

function showLink(): void {
  lost.hidden = store.link !== 'lost';
  setAttribute(byId('link', HTMLElement), 'data-state', store.link);
  setText(byId('link-text', HTMLElement), store.link === 'live' ? 'live' : 'not connected');
}

window.addEventListener('hashchange', () => {
  if (location.hash === '#main') return;
  show(routeOf(location.hash));
  // Readers and keyboards continue at the new view, as after loading a page.
  view?.root.querySelector('h1')?.focus();
  window.scrollTo(0, 0);
});
byId('retry', HTMLButtonElement).addEventListener('click', () => connection.retry());
document.querySelector('.skip')?.addEventListener('click', event => {
  event.preventDefault();
  main.focus();
});
onThemeChange(() => scheduler.mark('theme'));
window.setInterval(() => scheduler.mark('clock'), 1000);
window.setInterval(() => void askForDevices(), 10_000);

show(routeOf(location.hash));
connection.retry();
