import type { MailView } from '../views.js';
import { h, type Part, setAttribute, setText } from './dom.js';
import { setMoment } from './format.js';

const marks = {
  kept: '◌ kept',
  held: '◑ for the digest',
  queued: '◔ waiting',
  merged: '✓ in a digest',
  sent: '✓ sent',
  failed: '✗ failed',
} as const;

export function mailState(mail: MailView): string {
  return marks[mail.state];
}

/** One line of a mail list. */
export function mailRow(mail: MailView): Part<MailView> {
  const state = h('span', { class: 'state' });
  const when = h('time');
  const link = h('a', { class: 'title', href: `#/mail/${encodeURIComponent(mail.id)}` });
  const to = h('span', { class: 'place' });
  const node = h('li', { class: 'row mail' }, h('span', { class: 'what' }, link, to), state, when);
  return {
    node,
    update: one => {
      setText(link, one.subject);
      setText(to, `to ${one.to.join(', ')}`);
      setText(state, mailState(one));
      setAttribute(state, 'title', one.reason ?? undefined);
      setAttribute(node, 'data-mail', one.state);
      setMoment(when, one.createdMs);
    },
  };
}
