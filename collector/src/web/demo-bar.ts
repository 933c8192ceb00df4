import type { DemoAction, DemoState } from '../views.js';
import { api } from './api.js';
import { h, KeyedList, type Part, setAttribute, setText } from './dom.js';
import { clock, words } from './format.js';
import type { Store } from './store.js';

type DemoGateway = DemoState['gateways'][number];

const pollMs = 2000;

/**
 * The director's desk, only in the demo: faults, cut links, kills, and what just happened.
 * @returns  what brings it up to date with the store
 */
export async function openDemoBar(root: HTMLElement, store: Store): Promise<() => void> {
  store.setDemo(await api.demo());
  const said = h('p', { class: 'demo-said', role: 'status', 'aria-live': 'polite' });
  const act = async (action: DemoAction) => {
    try {
      store.setDemo(await api.act(action));
    } catch (error) {
      setText(said, error instanceof Error ? error.message : String(error));
    }
  };
  const rows = h('ul', { class: 'demo-rows plain' });
  const list = new KeyedList<DemoGateway>(
    rows,
    one => one.id,
    one => demoRow(one, act),
  );
  const details = h('details', {}, h('summary', {}, h('b', {}, 'Demo'), ' Break something'), rows);
  details.open = window.matchMedia('(min-width: 60rem)').matches;
  root.replaceChildren(details, said);
  root.hidden = false;
  window.setInterval(() => void poll(store), pollMs);
  return () => {
    const { gateways = [], log = [] } = store.demo ?? {};
    list.set(gateways);
    const last = log.at(-1);
    if (last) setText(said, `${clock(last.atMs)}  ${last.text}`);
  };
}

/** Keys in the terminal act too, so the page asks. */
async function poll(store: Store): Promise<void> {
  if (document.hidden) return;
  try {
    store.setDemo(await api.demo());
  } catch {
    // The banner of the lost link says it already.
  }
}

function demoRow(gateway: DemoGateway, act: (action: DemoAction) => Promise<void>): Part<DemoGateway> {
  const { id } = gateway;
  const state = h('span', { class: 'state' });
  const choice = h('select', { 'aria-label': `Fault for ${id}` }, ...gateway.devices.map(faultGroup));
  const inject = button('Inject', `Inject the chosen fault on ${id}`);
  const link = button('Cut network', '');
  const kill = button('kill −9', `Kill the agent of ${id}`, 'danger');
  let cut = gateway.linkCut;
  inject.addEventListener('click', () => {
    const [device = '', fault = ''] = choice.value.split('\n');
    void act({ action: 'inject', gateway: id, device, fault });
  });
  link.addEventListener('click', () => void act({ action: cut ? 'heal' : 'cut', gateway: id }));
  kill.addEventListener('click', () => void act({ action: 'kill', gateway: id }));
  const canFail = gateway.devices.some(({ faults }) => faults.length > 0);
  const fault = canFail ? [choice, inject] : ['a recording: has its own faults'];
  const node = h('li', {}, h('b', {}, id), h('span', { class: 'inject' }, ...fault), link, kill, state);
  return {
    node,
    update: one => {
      cut = one.linkCut;
      setText(link, cut ? 'Heal network' : 'Cut network');
      setAttribute(link, 'aria-label', `${cut ? 'Heal' : 'Cut'} the network of ${id}`);
      setAttribute(link, 'aria-pressed', cut ? 'true' : 'false');
      setText(state, stateOf(one));
      setAttribute(node, 'data-bad', cut || !one.running ? 'yes' : undefined);
    },
  };
}

function faultGroup({ device, faults }: DemoGateway['devices'][number]): HTMLElement {
  const options = faults.map(fault =>
    h('option', { value: `${device}\n${fault}` }, `${device}: ${words(fault)}`),
  );
  return h('optgroup', { label: device }, ...options);
}

function stateOf({ running, linkCut, kills, devices }: DemoGateway): string {
  const faults = devices.filter(one => one.active).map(one => `${words(one.active ?? '')} on ${one.device}`);
  return [
    running ? (linkCut ? '○ link cut' : '● running') : '✗ starting again',
    kills > 0 ? `killed ${kills}×` : '',
    ...faults,
  ]
    .filter(Boolean)
    .join(' · ');
}

function button(text: string, label: string, kind = ''): HTMLButtonElement {
  return h('button', { type: 'button', class: kind || undefined, 'aria-label': label || undefined }, text);
}
