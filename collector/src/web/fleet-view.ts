import type { DeviceView, GatewayView } from '../views.js';
import { collectorNow } from './api.js';
import { empty, h, heading, KeyedList, type Part, setAttribute, setText } from './dom.js';
import { deviceRow } from './fleet-device.js';
import { age, bytes, count } from './format.js';
import { incidentRow } from './incident-parts.js';
import type { Store } from './store.js';
import type { OpenView } from './view.js';

export const fleetView: OpenView = store => {
  const figures = summary();
  const cards = h('ul', { class: 'cards plain' });
  const list = new KeyedList<Card>(
    cards,
    one => one.id,
    one => gatewayCard(one, store),
  );
  const nothing = empty(
    'No gateway has connected yet',
    'Start an agent that points at this collector, for example with ',
    h('code', {}, 'edgeward agent -c agent.yaml'),
    '; or watch a simulated fleet with ',
    h('code', {}, 'edgeward demo'),
    '.',
  );
  const troubles = h('ul', { class: 'rows plain' });
  const open = new KeyedList(troubles, one => one.id, incidentRow);
  const trouble = h('section', { class: 'panel trouble' }, h('h2', {}, 'Open incidents'), troubles);
  const root = h('div', {}, heading('Fleet'), figures.node, trouble, nothing, cards);
  return {
    title: 'Fleet',
    root,
    update: () => {
      figures.update(store);
      const incidents = store.openIncidents();
      open.set(incidents.slice(0, 5));
      trouble.hidden = incidents.length === 0;
      list.set(cardsOf(store));
      nothing.hidden = store.gateways.length > 0 || !store.loaded;
    },
  };
};

interface Card extends GatewayView {
  readonly members: readonly DeviceView[];
}

function cardsOf({ gateways, devices }: Store): Card[] {
  const members = new Map<string, DeviceView[]>(gateways.map(one => [one.id, []]));
  for (const device of devices.values()) members.get(device.gateway)?.push(device);
  return gateways.map(one => ({ ...one, members: members.get(one.id) ?? [] }));
}

/** The fleet in five numbers. */
function summary(): Part<Store> {
  const figures = ['gateways online', 'devices', 'rows / s', 'open incidents', 'ledger'].map(name => {
    const value = h('dd');
    return { value, node: h('div', { class: 'figure' }, h('dt', {}, name), value) };
  });
  return {
    node: h('dl', { class: 'figures' }, ...figures.map(one => one.node)),
    update: store => {
      const { gateways, ledger } = store;
      const online = gateways.filter(one => one.online).length;
      const open = store.openIncidents().length;
      const texts = [
        `${online} / ${gateways.length}`,
        count(store.devices.size),
        rate(gateways.reduce((sum, one) => sum + one.rowsPerSecond, 0)),
        count(open),
        !ledger ? '–' : ledger.balanced ? '✓ balanced' : '✗ not balanced',
      ];
      const bad = [online < gateways.length, false, false, open > 0, ledger?.balanced === false];
      figures.forEach(({ value, node }, i) => {
        setText(value, texts[i] ?? '');
        setAttribute(node, 'data-bad', bad[i] ? 'yes' : undefined);
      });
    },
  };
}

function gatewayCard(gateway: GatewayView, store: Store): Part<Card> {
  const state = h('span', { class: 'online' });
  const site = h('span', { class: 'site' });
  const facts = ['rows / s', 'last row', 'outbox', 'memory'].map(name => {
    const value = h('dd');
    return { value, node: h('div', {}, h('dt', {}, name), value) };
  });
  const rows = h('ul', { class: 'devices plain' });
  const devices = new KeyedList<DeviceView>(
    rows,
    one => one.device,
    one => deviceRow(one, store),
  );
  const head = h('header', {}, h('h2', {}, gateway.id), site, state);
  const node = h('li', { class: 'card' }, head, h('dl', {}, ...facts.map(one => one.node)), rows);
  return {
    node,
    update: one => {
      setAttribute(node, 'data-online', one.online ? 'yes' : 'no');
      setText(state, one.online ? '● online' : '○ offline');
      setText(site, one.site ?? '');
      factsOf(one).forEach((text, i) => {
        const value = facts[i]?.value;
        if (value) setText(value, text);
      });
      devices.set(one.members);
    },
  };
}

function factsOf({ rowsPerSecond, lastRowMs, outbox, rssBytes }: GatewayView): string[] {
  return [
    rate(rowsPerSecond),
    lastRowMs === null ? '–' : age(collectorNow() - lastRowMs),
    outbox ? `${count(outbox.blocks)} · ${bytes(outbox.bytes)}` : '–',
    rssBytes === null ? '–' : bytes(rssBytes),
  ];
}

function rate(rowsPerSecond: number): string {
  return rowsPerSecond < 10 ? rowsPerSecond.toFixed(1) : count(rowsPerSecond);
}
