import type { NoticeView } from '../views.js';
import { api } from './api.js';
import { h, KeyedList, type Part, setAttribute, setText } from './dom.js';
import { setMoment } from './format.js';
import { noticeKey, type Store } from './store.js';

const marks = {
  held: '◑ quiet hours',
  queued: '◔ waiting',
  merged: '✓ in later news',
  sent: '✓ sent',
  failed: '✗ failed',
} as const;

const kinds = {
  opened: 'opened',
  critical: 'became critical',
  updated: 'another cause',
  closed: 'closed',
} as const;

/** What Slack and webhooks are told, below the mails; nothing where there is none. */
export function noticesPanel(store: Store): { readonly root: HTMLElement; update(): void } {
  const rows = h('ul', { class: 'rows plain' });
  const list = new KeyedList<NoticeView>(rows, noticeKey, noticeRow);
  const root = h(
    'section',
    { class: 'panel mails notices', 'aria-label': 'Slack and webhooks' },
    h('h2', {}, 'Slack and webhooks'),
    rows,
  );
  root.hidden = true;
  return {
    root,
    update: () => {
      const notices = [...store.notifications.values()].sort((a, b) => b.createdMs - a.createdMs);
      list.set(notices);
      root.hidden = notices.length === 0;
    },
  };
}

function noticeRow(first: NoticeView): Part<NoticeView> {
  const title = h('span', { class: 'title' });
  const place = h('span', { class: 'place' });
  const state = h('span', { class: 'state' });
  const when = h('time');
  const text = h('pre', { class: 'notice-text', tabindex: '0' });
  const sent = h('details', {}, h('summary', {}, 'What it gets'), text);
  sent.addEventListener('toggle', () => {
    if (sent.open) void show(first, text);
  });
  const node = h('li', { class: 'row mail' }, h('span', { class: 'what' }, title, place, sent), state, when);
  return {
    node,
    update: one => {
      setText(title, `${kinds[one.event]}: ${one.title}`);
      const why = one.reason === null ? '' : `: ${one.reason}`;
      setText(place, `${one.type} ${one.notifier}${why}`);
      setText(state, marks[one.state]);
      setAttribute(node, 'data-mail', one.state);
      setMoment(when, one.createdMs);
    },
  };
}

async function show({ notifier, id }: NoticeView, text: HTMLElement): Promise<void> {
  try {
    setText(text, (await api.notification(notifier, id)).text);
  } catch (error) {
    setText(text, error instanceof Error ? error.message : 'It cannot be shown now.');
  }
}
