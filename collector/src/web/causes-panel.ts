/** What an incident is likely to be, how likely, and what speaks for and against it. */
import type { Incident } from '../alerts/incident.js';
import type { Diagnosis, EvidenceItem, LikelyCause } from '../diagnosis/diagnosis.js';
import { h, KeyedList, type Part, setAttribute, setText } from './dom.js';

interface Row {
  readonly cause: LikelyCause;
  readonly diagnosis: Diagnosis;
}

const verdicts: Readonly<Record<Diagnosis['verdict'], string>> = {
  likely: 'The first is more likely than all else together.',
  possible: 'The first is the best of several; look at the evidence.',
  unknown: 'The evidence is too weak to name a cause. What fits best:',
};

export function causesPanel(): Part<Pick<Incident, 'diagnosis'>> {
  const verdict = h('p', { class: 'note' });
  const causes = h('ol', { class: 'causes plain' });
  const other = h('p', { class: 'note' });
  const list = new KeyedList<Row>(causes, ({ cause }) => cause.id, causeRow);
  const beside = evidenceList('Noted beside it');
  const node = h(
    'section',
    { class: 'panel causes-panel' },
    h('h2', {}, 'Likely causes'),
    verdict,
    causes,
    other,
    beside.node,
  );
  return {
    node,
    update: ({ diagnosis }) => {
      node.hidden = diagnosis === undefined;
      if (!diagnosis) return;
      setAttribute(node, 'data-verdict', diagnosis.verdict);
      const none = diagnosis.causes.length === 0;
      setText(verdict, none ? 'No known cause fits what the channels show.' : verdicts[diagnosis.verdict]);
      list.set(diagnosis.causes.map(cause => ({ cause, diagnosis })));
      setText(other, none ? '' : `Something else: ${percent(diagnosis.unknown)}`);
      beside.update(uncited(diagnosis));
    },
  };
}

function causeRow(): Part<Row> {
  const share = h('span', { class: 'odds' });
  const bar = h('meter', { min: '0', max: '1' });
  const [name, component] = [h('h3'), h('span', { class: 'place' })];
  const [speaking, counter] = [evidenceList('For it'), evidenceList('Against it')];
  const head = h('header', {}, h('div', { class: 'how-likely' }, share, bar), h('div', {}, name, component));
  return {
    node: h('li', {}, head, speaking.node, counter.node),
    update: ({ cause, diagnosis }) => {
      setText(share, percent(cause.probability));
      setAttribute(bar, 'value', String(cause.probability));
      setAttribute(bar, 'aria-label', `${cause.cause}: ${percent(cause.probability)}`);
      setText(name, cause.cause);
      setText(component, `look at: ${cause.component}`);
      speaking.update(itemsOf(cause.evidence, diagnosis));
      counter.update(itemsOf(cause.against, diagnosis));
    },
  };
}

function evidenceList(title: string): Part<readonly EvidenceItem[]> {
  const items = h('ul', { class: 'plain' });
  const list = new KeyedList<EvidenceItem>(items, ({ id, text }) => `${id} ${text}`, evidenceRow);
  const node = h('div', { class: 'evidence' }, h('h4', {}, title), items);
  return {
    node,
    update: found => {
      node.hidden = found.length === 0;
      list.set(found);
    },
  };
}

function evidenceRow({ id, text, incident }: EvidenceItem): Part<EvidenceItem> {
  const href = `#/incident/${encodeURIComponent(incident ?? '')}`;
  const words = incident === undefined ? text : h('a', { href }, text);
  return { node: h('li', {}, h('span', { class: 'tag' }, id), ' ', words), update: () => {} };
}

function itemsOf(ids: readonly string[], { evidence }: Diagnosis): EvidenceItem[] {
  return ids.flatMap(id => evidence.find(item => item.id === id) ?? []);
}

/** What speaks for none of the causes and against none. */
function uncited({ causes, evidence }: Diagnosis): EvidenceItem[] {
  const cited = new Set(causes.flatMap(cause => [...cause.evidence, ...cause.against]));
  return evidence.filter(({ id }) => !cited.has(id));
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}
