import type { MailView } from '../views.js';
import { empty, h, heading, KeyedList, setAttribute, setText } from './dom.js';
import { moment } from './format.js';
import { mailRow, mailState } from './mail-parts.js';
import { noticesPanel } from './notices-panel.js';
import type { OpenView } from './view.js';

/** `#/mails` and `#/mail/<id>`: the list beside the mail as it was sent. */
export const mailsView: OpenView = (store, [chosen]) => {
  const rows = h('ul', { class: 'rows plain' });
  const list = new KeyedList<MailView>(rows, one => one.id, mailRow);
  const nothing = empty(
    'No mail so far',
    'Each incident writes one. Without an SMTP server in the configuration mails are kept and shown here.',
  );
  const reader = h('section', { class: 'panel reader', 'aria-label': 'Mail' });
  const box = h('div', { class: 'two mails' }, h('section', { class: 'panel' }, rows), reader);
  const notices = noticesPanel(store);
  let shown: string | undefined;
  return {
    title: 'Mails',
    root: h('div', {}, heading('Mails'), nothing, box, notices.root),
    update: () => {
      notices.update();
      const mails = [...store.mails.values()].sort((a, b) => b.createdMs - a.createdMs);
      list.set(mails);
      nothing.hidden = mails.length > 0 || !store.loaded;
      box.hidden = mails.length === 0;
      const mail = chosen === undefined ? mails[0] : store.mails.get(chosen);
      mark(
        rows,
        mails.findIndex(one => one.id === mail?.id),
      );
      // A frame that is written anew loses its place: only when another mail is chosen.
      if (!mail || shown === `${mail.id} ${mail.state}`) return;
      shown = `${mail.id} ${mail.state}`;
      reader.replaceChildren(...letter(mail));
    },
  };
};

function mark(rows: HTMLElement, at: number): void {
  [...rows.children].forEach((row, i) => {
    setAttribute(row, 'aria-current', i === at ? 'true' : undefined);
  });
}

function letter(mail: MailView): HTMLElement[] {
  const frame = h('iframe', {
    sandbox: '',
    title: `Mail: ${mail.subject}`,
    src: `/api/mails/${encodeURIComponent(mail.id)}/html`,
  });
  const fact = (name: string, ...value: (Node | string)[]) =>
    h('div', {}, h('dt', {}, name), h('dd', {}, ...value));
  const subject = h('h2');
  setText(subject, mail.subject);
  const state = [mailState(mail), mail.reason].filter(Boolean).join(': ');
  const { incidentId } = mail;
  const incident =
    incidentId === null
      ? []
      : [
          h(
            'p',
            { class: 'letter-link' },
            h('a', { href: `#/incident/${encodeURIComponent(incidentId)}` }, 'Open the incident'),
          ),
        ];
  const facts = [
    fact('From', mail.from),
    fact('To', mail.to.join(', ')),
    fact('Written', moment(mail.createdMs)),
    fact('State', state),
  ];
  return [subject, h('dl', { class: 'letterhead' }, ...facts), ...incident, frame];
}
