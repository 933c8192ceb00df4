/** Why there was an alarm: each detector's channels as bars, and their values beside what is usual for them. */
import type { Incident, IncidentChannel, IncidentDetector } from '../alerts/incident.js';
import { axisOf, type Bar, barOf, folded, type Track, trackOf } from './alarm-layout.js';
import { channelName, channelSaid, detectorName, percent, rangeName, verdictOf } from './alarm-words.js';
import { h, KeyedList, type Part, setAttribute, setText } from './dom.js';

const arrows = { high: '▲', low: '▼', unusual: '◆' } as const;

export function alarmPlot(): Part<Pick<Incident, 'detectors'>> {
  const groups = h('div');
  const none = h('p', { class: 'note' }, 'No reasons have come for these rows.');
  const list = new KeyedList<IncidentDetector>(
    groups,
    one => JSON.stringify([one.detector, one.source]),
    groupPart,
  );
  return {
    node: h('div', {}, none, groups),
    update: ({ detectors }) => {
      none.hidden = detectors.length > 0;
      list.set(detectors);
    },
  };
}

/** A channel as its detector sees it, among its other channels. */
interface Row {
  readonly channel: IncidentChannel;
  readonly by: IncidentDetector;
  readonly axis: number;
}

function groupPart(first: IncidentDetector): Part<IncidentDetector> {
  const verdict = h('span', { class: 'verdict-text' });
  const [gauge, columns] = [gaugePart(), columnHeads()];
  const head = h('header', {}, h('h3', {}, detectorName(first)), gauge.node, verdict);
  const [shown, more] = [rowList(), rowList()];
  const summary = h('summary');
  const rest = h('details', {}, summary, more.parent);
  const kind = { class: 'alarm', 'data-detector': first.detector };
  return {
    node: h('section', kind, head, columns.node, shown.parent, rest),
    update: by => {
      setText(verdict, verdictOf(by));
      gauge.update(by);
      columns.update(by);
      const axis = axisOf(by.channels);
      const rowOf = (channel: IncidentChannel): Row => ({ channel, by, axis });
      const parts = folded(by.channels);
      shown.set(parts.shown.map(rowOf));
      more.set(parts.more.map(rowOf));
      rest.hidden = parts.more.length === 0;
      setText(summary, `${parts.more.length} more`);
    },
  };
}

/** What the two pictures of a row show; the rows say it in words. */
function columnHeads(): Part<IncidentDetector> {
  const sides = ['▼ low', 'share', 'high ▲'].map(text => h('span', {}, text));
  const range = h('span');
  const key = h('span', { class: 'scale-key' }, h('i'), range, h('b', {}, '●'), ' value');
  const node = h(
    'div',
    { class: 'alarm-columns', 'aria-hidden': 'true' },
    h('span'),
    h('span', { class: 'sides' }, ...sides),
    key,
  );
  return {
    node,
    update: ({ detector, channels }) => {
      setText(range, `${rangeName(detector)} `);
      node.hidden = channels.length === 0;
      key.hidden = channels.every(channel => trackOf(channel) === undefined);
    },
  };
}

function rowList(): KeyedList<Row> {
  const keyOf = ({ channel }: Row) => channel.field;
  return new KeyedList(h('ul', { class: 'plain' }), keyOf, channelPart);
}

function channelPart(): Part<Row> {
  const [name, said, share] = [h('b'), h('span', { class: 'said' }), h('span', { class: 'share' })];
  const [arrow, part] = [h('span', { 'aria-hidden': 'true' }), h('span')];
  share.append(arrow, part);
  const bar = h('i', { class: 'bar-fill' });
  const track = trackPart();
  const what = h('span', { class: 'what' }, name, said);
  const node = h('li', {}, what, h('span', { class: 'bar-track' }, bar, share), track.node);
  return {
    node,
    update: ({ channel, by, axis }) => {
      setText(name, channelName(channel));
      setText(said, channelSaid(channel, by));
      setText(arrow, arrows[channel.direction]);
      setText(part, ` ${percent(channel.weight)}`);
      setAttribute(node, 'data-direction', channel.direction);
      const drawn = barOf(channel, axis);
      span(bar, drawn);
      share.style.setProperty('--bar-end', percentOf(drawn.to));
      track.update(channel);
    },
  };
}

/** The value beside its usual range or limit: a picture of what the row says in words. */
function trackPart(): Part<IncidentChannel> {
  const [forbidden, band, limit, dot] = ['forbidden', 'band', 'limit', 'dot'].map(kind =>
    h('i', { class: kind }),
  ) as [HTMLElement, HTMLElement, HTMLElement, HTMLElement];
  const rail = h('span', { class: 'rail' }, forbidden, band, limit, dot);
  const node = h('span', { class: 'scale', 'aria-hidden': 'true' }, rail);
  return {
    node,
    update: channel => {
      const track = trackOf(channel);
      rail.hidden = track === undefined;
      if (!track) return;
      span(forbidden, track.forbidden);
      span(band, track.band);
      limit.hidden = track.limit === undefined;
      placeDot(dot, track);
    },
  };
}

function placeDot(dot: HTMLElement, { at, beyond, isUsual }: Track): void {
  dot.hidden = at === undefined;
  setAttribute(dot, 'data-beyond', beyond);
  setAttribute(dot, 'data-usual', isUsual);
  if (at !== undefined) dot.style.left = percentOf(at);
}

/** The score between 0 and 1 with its threshold. What rules and checks of readings say is no matter of degree. */
function gaugePart(): Part<IncidentDetector> {
  const [fill, mark] = [h('i', { class: 'fill' }), h('i', { class: 'mark' })];
  const node = h('span', { class: 'gauge', 'aria-hidden': 'true' }, fill, mark);
  return {
    node,
    update: ({ detector, score, threshold }) => {
      node.hidden = detector === 'rule' || detector === 'quality';
      fill.style.width = percentOf(Math.min(1, score));
      mark.style.left = percentOf(Math.min(1, threshold));
    },
  };
}

function span(node: HTMLElement, bar: Bar | undefined): void {
  node.hidden = bar === undefined;
  if (!bar) return;
  node.style.left = percentOf(bar.from);
  node.style.width = percentOf(bar.to - bar.from);
}

function percentOf(part: number): string {
  return `${(part * 100).toFixed(1)}%`;
}
