/** What a language model made of the diagnosis, said to be by one; the ids that it cites stand beside it. */
import type { Incident } from '../alerts/incident.js';
import { h, KeyedList, type Part, setText } from './dom.js';

export function wordingPanel(): Part<Pick<Incident, 'wording'>> {
  const by = h('p', { class: 'note' });
  const paragraphs = new KeyedList<string>(h('div'), text => text, paragraph);
  const title = h('h2', {}, 'In other words');
  const node = h('section', { class: 'panel wording-panel' }, title, by, paragraphs.parent);
  return {
    node,
    update: ({ wording }) => {
      node.hidden = wording === undefined;
      if (!wording) return;
      setText(
        by,
        `Written by a language model (${wording.model}) from the causes above; it decides nothing.`,
      );
      paragraphs.set(wording.text.split(/\n\s*\n/).filter(Boolean));
    },
  };
}

function paragraph(text: string): Part<string> {
  return { node: h('p', {}, text), update: () => {} };
}
