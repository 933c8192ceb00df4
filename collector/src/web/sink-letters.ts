import type { SinkLettersView, SinkLetterView, SinkReplayView, SinkView } from '../views.js';
import { api } from './api.js';
import { h, KeyedList, type Part, setText } from './dom.js';
import { count, moment } from './format.js';

const shown = 50;

/** What a sink's server has refused: a line that opens, read when it does, and a button that tries it again. */
export function deadLetters(name: string): Part<SinkView> {
  const summary = h('summary');
  const rows = h('ul', { class: 'plain letters' });
  const list = new KeyedList<SinkLetterView>(rows, one => `${one.id} ${one.reason}`, letterRow);
  const more = h('p', { class: 'note' });
  const replay = h('button', { type: 'button', 'aria-label': `Replay dead letters of ${name}` }, 'Replay');
  const said = h('p', { class: 'said', role: 'status' });
  const details = h('details', {}, summary, rows, more);
  const node = h('div', { class: 'dead' }, h('div', { class: 'dead-head' }, details, replay), said);
  let known = -1;
  const read = async () => {
    if (!details.open) return;
    const letters = await api.sinkLetters(name, shown);
    list.set(letters.letters);
    setText(more, restOf(letters));
  };
  const say = (error: unknown) => setText(said, error instanceof Error ? error.message : String(error));
  details.addEventListener('toggle', () => void read().catch(say));
  replay.addEventListener('click', () => {
    replay.disabled = true;
    setText(said, 'Trying them again …');
    api
      .replaySink(name)
      .then(async outcome => {
        setText(said, outcomeText(outcome));
        await read();
      })
      .catch(say)
      .finally(() => {
        replay.disabled = false;
      });
  });
  return {
    node,
    update: ({ deadLetters: { letters, rows } }) => {
      details.hidden = replay.hidden = letters === 0;
      node.hidden = letters === 0 && said.textContent === '';
      setText(summary, `${plural(letters, 'dead letter')} with ${plural(rows, 'row')}`);
      if (letters === known) return;
      known = letters;
      void read().catch(say);
    },
  };
}

function letterRow(letter: SinkLetterView): Part<SinkLetterView> {
  const { kind, gateway, devices, reason, rows, atMs } = letter;
  const what = kind === 'note' ? `a note of ${gateway}` : `${plural(rows, 'row')} of ${gateway}`;
  const where = [what, ...devices.slice(0, 3)].join(' · ');
  const node = h(
    'li',
    {},
    h('span', { class: 'reason' }, reason),
    h('span', { class: 'where' }, where),
    moment(atMs),
  );
  return { node, update: () => {} };
}

function restOf({ count: all, letters, deletedRows }: SinkLettersView): string {
  const notes = [
    all > letters.length ? `The newest ${letters.length} of ${count(all)}.` : '',
    deletedRows > 0 ? `${count(deletedRows)} rows of older ones were deleted.` : '',
  ];
  return notes.filter(Boolean).join(' ');
}

function outcomeText({ stored, refused, reasons }: SinkReplayView): string {
  const [first] = reasons;
  const still = refused > 0 ? `, ${count(refused)} still refused${first ? `: ${first.reason}` : ''}` : '';
  return `${count(stored)} stored${still}`;
}

function plural(value: number, word: string): string {
  return `${count(value)} ${word}${value === 1 ? '' : 's'}`;
}
