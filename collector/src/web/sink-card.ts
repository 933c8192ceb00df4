import type { SinkView } from '../views.js';
import { api, collectorNow } from './api.js';
import { h, type Part, setAttribute, setText } from './dom.js';
import { clock, count, setMoment, span } from './format.js';
import { deadLetters } from './sink-letters.js';
import { drawLag, lagCanvas } from './spark.js';
import type { Store } from './store.js';

/** How a state looks, and whether somebody should look at it. */
const states: Readonly<Record<SinkView['state'], readonly [text: string, tone: string]>> = {
  running: ['● storing', 'good'],
  opening: ['◌ opening', 'muted'],
  retrying: ['◐ trying again', 'warning'],
  failing: ['✗ failing', 'alarm'],
  denied: ['✗ denied', 'alarm'],
  paused: ['‖ paused', 'warning'],
  stopped: ['○ stopped', 'muted'],
};

export function sinkCard(sink: SinkView, store: Store): Part<SinkView> {
  const state = h('span', { class: 'online' });
  const held = h('span', { class: 'tag' }, 'receipts wait for it');
  const head = h('header', {}, h('h2', {}, sink.name), h('span', { class: 'site' }, sink.type), held, state);
  const facts = ['lag', 'behind', 'stored since start'].map(name => {
    const value = h('dd');
    return { value, node: h('div', {}, h('dt', {}, name), value) };
  });
  const line = lagCanvas();
  const trend = h('div', { class: 'trend' }, h('dt', {}, 'lag, last 3 min'), h('dd', {}, line));
  const trouble = failure();
  const words = h('p', { class: 'remark' });
  const letters = deadLetters(sink.name);
  const switching = pauseButton(sink.name);
  const foot = h('footer', {}, words, switching.node);
  const node = h(
    'li',
    { class: 'card sink' },
    head,
    h('dl', {}, ...facts.map(one => one.node), trend),
    trouble.node,
    letters.node,
    foot,
  );
  return {
    node,
    update: one => {
      const [text, tone] = states[one.state];
      setText(state, text);
      setAttribute(node, 'data-tone', tone);
      held.hidden = !one.inReceiptAfter;
      factsOf(one).forEach((fact, i) => {
        const value = facts[i]?.value;
        if (value) setText(value, fact);
      });
      drawLag(line, store.sinkLags.get(one.name) ?? []);
      trouble.update(one);
      setText(words, remarks(one).join(' '));
      letters.update(one);
      switching.update(one);
    },
  };
}

function factsOf({ lag, stored }: SinkView): string[] {
  return [
    lag.blocks === 0 ? 'none' : `${count(lag.rows)} rows`,
    lag.seconds === 0 ? '–' : span(1000 * lag.seconds),
    `${count(stored.rows)} rows`,
  ];
}

/** What the numbers do not say. */
function remarks({ paused, inReceiptAfter, lostRows, start }: SinkView): string[] {
  return [
    paused && inReceiptAfter ? 'Gateways get no receipts, and keep their data, until it is resumed.' : '',
    paused && !inReceiptAfter ? "What comes waits in the journal, within the journal's limits." : '',
    lostRows > 0 ? `It never got ${count(lostRows)} rows: it lagged until the journal was full.` : '',
    start && start.asked !== 'beginning' ? `It has what came since ${clock(beganMs(start))}.` : '',
  ].filter(Boolean);
}

function beganMs({ asked, atMs }: NonNullable<SinkView['start']>): number {
  return asked === 'now' ? atMs : Date.parse(asked);
}

function failure(): Part<SinkView> {
  const text = h('p', { class: 'why' });
  const since = h('time');
  const next = h('span');
  const node = h('div', { class: 'failure' }, text, h('p', { class: 'when-next' }, 'Since ', since, next));
  return {
    node,
    update: ({ failure, paused }) => {
      node.hidden = failure === null;
      if (!failure) return;
      const { nextTryMs } = failure;
      setText(text, failure.text);
      setMoment(since, failure.sinceMs);
      const leftMs = nextTryMs === null ? 0 : nextTryMs - collectorNow();
      const tried = leftMs > 0 ? `next try in ${span(leftMs)}` : 'being tried now';
      setText(next, `; ${paused ? 'not tried while it is paused' : tried}.`);
    },
  };
}

function pauseButton(name: string): Part<SinkView> {
  const button = h('button', { type: 'button' });
  const said = h('span', { class: 'said', role: 'status' });
  let isPaused = false;
  button.addEventListener('click', () => {
    button.disabled = true;
    setText(said, '');
    api[isPaused ? 'resumeSink' : 'pauseSink'](name)
      .catch((error: unknown) => setText(said, error instanceof Error ? error.message : String(error)))
      .finally(() => {
        button.disabled = false;
      });
  });
  return {
    node: h('div', { class: 'act' }, said, button),
    update: ({ paused }) => {
      isPaused = paused;
      setText(button, paused ? 'Resume' : 'Pause');
      setAttribute(button, 'aria-label', `${paused ? 'Resume' : 'Pause'} ${name}`);
    },
  };
}
