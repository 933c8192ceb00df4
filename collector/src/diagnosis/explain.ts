/** A ranking in words: evidence with ids, causes that cite it. */
import type { Incident } from '../alerts/incident.js';
import type { Change } from '../changes/change.js';
import {
  clean,
  formatBound,
  formatClock,
  formatDay,
  formatDuration,
  formatNumber,
  formatRange,
  withUnit,
} from '../notifiers/format.js';
import { type Alike, namedIn } from './alike.js';
import type { Cause, Symptom } from './catalogue.js';
import { changeText, plainChangeText } from './change-text.js';
import { channelMark, type Diagnosis, type EvidenceItem, type LikelyCause, otherMark } from './diagnosis.js';
import { isKnownUnit } from './known-units.js';
import {
  beganAt,
  type Facts,
  type Order,
  orderOf,
  type Ranked,
  type Ranking,
  type Seen,
  traitsOf,
} from './rank.js';
import type { Sign } from './signs.js';

const mostCauses = 3;
const leastProbability = 0.05;
/** Below this the best cause is one of several. */
const likely = 0.5;
/** Below this it is not worth a name. */
const possible = 0.25;
/** What shows less clearly is no evidence to cite. */
const shown = 0.3;

export function explain({ causes, unknown, telling }: Ranking, facts: Facts, atMs: number): Diagnosis {
  const beganMs = beganAt(facts, telling);
  const evidence = new EvidenceList(facts, beganMs);
  const named = causes
    .slice(0, mostCauses)
    .filter(({ probability }) => probability >= leastProbability)
    .map(ranked => likelyCause(ranked, telling, evidence));
  for (const order of clearOrders(facts)) evidence.idOfOrder(order);
  for (const change of recentOf(facts.changes, beganMs)) evidence.idOfChange(change);
  for (const one of facts.alike.slice(0, mostPast)) evidence.idOfPast(one);
  const best = named[0]?.probability ?? 0;
  const verdict = best >= likely ? 'likely' : best >= possible && best > unknown / 2 ? 'possible' : 'unknown';
  const { items } = evidence;
  const traits = traitsOf(facts);
  return { atMs, verdict, causes: named, unknown: share(unknown), evidence: items, agreed: 1, traits };
}

function likelyCause(
  { cause, probability, seen, unexplained }: Ranked,
  telling: Sign | undefined,
  evidence: EvidenceList,
): LikelyCause {
  const clear = seen.filter(({ degree }) => degree >= shown).sort((a, b) => b.ratio - a.ratio);
  // What shows weakly, or not at all, moves a cause as well; it is nothing that one could point at.
  const speaking = clear.filter(one => one.ratio > 1.05 && isExpected(one));
  const contrary = seen.filter(one => one.order !== undefined && one.ratio < 0.95);
  const counter = [...clear.filter(one => one.ratio < 0.95 && !isExpected(one)), ...contrary];
  const against = [
    ...counter.flatMap(one => evidence.idsOf(one, cause)),
    ...unexplained.map(sign => evidence.idOfSign(sign)),
  ];
  // What is half usual still shows: it is named once, against a cause that it should not show in.
  const support = speaking.flatMap(one => evidence.idsOf(one, cause)).filter(id => !against.includes(id));
  return {
    id: cause.id,
    cause: cause.cause,
    component: componentOf(cause, telling),
    severity: cause.severity,
    probability: share(probability),
    evidence: [...new Set(support)],
    against: [...new Set(against)],
    actions: cause.actions,
    ...(cause.spread === true && { shared: true as const }),
  };
}

/** Whether the cause comes with it more often than other troubles do. */
function isExpected({ symptom, ratio }: Seen): boolean {
  if (symptom === 'past') return ratio > 1;
  return typeof symptom === 'string' || symptom.often > symptom.else;
}

function componentOf({ component }: Cause, telling: Sign | undefined): string {
  return component.replace('{channel}', () => (telling ? clean(telling.field, 60) : 'one channel'));
}

/** Two decimals; never 1, which nobody can know. */
function share(probability: number): number {
  return Math.min(0.99, Math.round(100 * probability) / 100);
}

class EvidenceList {
  readonly items: EvidenceItem[] = [];
  readonly #ids = new Map<string, string>();

  constructor(
    private readonly facts: Facts,
    private readonly beganMs: number,
  ) {}

  /** None for what is no observation of its own. */
  idsOf(seen: Seen, cause: Cause): string[] {
    if (seen.symptom !== 'past') return [this.#idOf(seen) ?? []].flat();
    const said = seen.ratio > 1 ? 'real' : 'false-alarm';
    const speaks = ({ incident }: Alike) =>
      namedIn(incident) === cause.id && incident.handling?.feedback?.verdict === said;
    return this.facts.alike
      .filter(speaks)
      .slice(0, mostPast)
      .map(one => this.idOfPast(one));
  }

  #idOf({ symptom, sign, device, order, change }: Seen): string | undefined {
    if (change) return this.idOfChange(change);
    if (order) return this.idOfOrder(order, { [order.first === sign ? 'first' : 'second']: device });
    if (symptom === 'alone') {
      const text = 'No other channel of the device shows anything clearly unusual';
      return this.#id('alone', text, text);
    }
    if (symptom === 'spread') return this.#id('spread', spreadText(this.facts), spreadText(this.facts));
    if (!sign || typeof symptom === 'string') return undefined;
    const other = device !== undefined && device !== this.facts.device ? device : undefined;
    const text = textOf(symptom, sign);
    const key = `${other ?? ''} ${sign.field} ${text}`;
    const plain = textOf(symptom, nameless(sign));
    return this.#id(key, other ? `${clean(other)}: ${text}` : text, plain, sign.field, other);
  }

  idOfChange(change: Change): string {
    const text = changeText(change, this.facts.gateway, this.beganMs);
    const plain = plainChangeText(change, this.beganMs);
    return this.#id(text, text, plain, undefined, this.facts.device, { kind: 'change' });
  }

  idOfPast(alike: Alike): string {
    const { device, id } = alike.incident;
    const text = pastText(alike, true);
    return this.#id(`past ${id}`, text, pastText(alike, false), undefined, device, {
      kind: 'past',
      incident: id,
    });
  }

  /** @param devices  of the two channels, if not the incident's own */
  idOfOrder(order: Order, devices: { readonly first?: string; readonly second?: string } = {}): string {
    const { first: firstOn = this.facts.device, second: secondOn = this.facts.device } = devices;
    const placed = (device: string, { field }: Sign) =>
      `${device === this.facts.device ? '' : `${clean(device)}: `}${clean(field, 60)}`;
    const text = orderText(order, placed(firstOn, order.first), placed(secondOn, order.second));
    const plain = orderText(order, channelMark, otherMark);
    const other = { device: clean(secondOn), field: clean(order.second.field, 60) };
    return this.#id(text, text, plain, order.first.field, firstOn, { kind: 'order', other });
  }

  idOfSign(sign: Sign): string {
    const text = shiftText(sign);
    return this.#id(` ${sign.field} ${text}`, text, shiftText(nameless(sign)), sign.field);
  }

  #id(
    key: string,
    text: string,
    plain: string,
    field?: string,
    device = this.facts.device,
    more: Pick<EvidenceItem, 'kind' | 'other' | 'incident'> = {},
  ): string {
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const id = `E${this.items.length + 1}`;
    this.#ids.set(key, id);
    this.items.push({
      id,
      text,
      plain,
      device: clean(device),
      ...(field !== undefined && { field: clean(field, 60) }),
      ...more,
    });
    return id;
  }
}

/** Says the same of a channel without a word that a device chose. */
function nameless(sign: Sign): Sign {
  return { ...sign, field: channelMark, unit: isKnownUnit(sign.unit) ? sign.unit : null };
}

function spreadText({ company, farOff }: Facts): string {
  if (company === 0) return 'No other device of the gateway is in trouble';
  const devices = company === 1 ? '1 other device' : `${company} other devices`;
  return `${devices} ${farOff ? 'around it' : 'of the gateway'} began to show trouble within two minutes of it`;
}

/** `dischargePressure rose 14 s before flow fell` */
function orderText({ first, second, leadMs }: Order, name: string, other: string): string {
  const did = ({ shift }: Sign) => (shift > 0 ? 'rose' : 'fell');
  return `${name} ${did(first)} ${formatDuration(leadMs)} before ${other} ${did(second)}`;
}

/** Changes that are told also if they speak for no cause. */
const mostChanges = 3;
const toldForMs = 3_600_000;

/** One of a kind, the newest; what came after it began has nothing to do with it. */
function recentOf(changes: readonly Change[], beganMs: number): Change[] {
  const recent = changes.filter(({ atMs }) => atMs <= beganMs && beganMs - atMs <= toldForMs);
  const newest = new Map([...recent].reverse().map(change => [change.kind, change]));
  return [...newest.values()].sort((a, b) => b.atMs - a.atMs).slice(0, mostChanges);
}

const mostOrders = 2;
/** Earlier incidents that are named. */
const mostPast = 2;

/**
 * `Like an incident of this device of 3 Mar 2026: Leak behind the pump (likely then), called real, over after 12 min`
 * @param named  false: without a word that a device or somebody chose
 */
function pastText({ incident, isSameDevice }: Alike, named: boolean): string {
  const { gateway, device, firstMs, closedMs, diagnosis } = incident;
  const other = named ? `${clean(device, 60)} at ${clean(gateway, 60)}` : 'another device of this type';
  const whose = isSameDevice ? 'this device' : other;
  const [cause] = diagnosis?.causes ?? [];
  const thought =
    !named || !cause || namedIn(incident) === undefined
      ? []
      : [`${clean(cause.cause, 120)} (${diagnosis!.verdict} then)`];
  const parts = [
    ...thought,
    saidOf(incident),
    `over after ${formatDuration((closedMs ?? firstMs) - firstMs)}`,
  ];
  return `Like an incident of ${whose} of ${formatDay(firstMs)}: ${parts.join(', ')}`;
}

function saidOf({ handling }: Incident): string {
  const verdict = handling?.feedback?.verdict;
  if (verdict !== undefined) return verdict === 'real' ? 'called real' : 'called a false alarm';
  return handling?.acknowledged ? 'acknowledged, not confirmed' : 'not confirmed';
}

/** Which channel was the first, and before which others, where that is clear; also if it speaks for no cause. */
function clearOrders({ signs, intervalMs }: Facts): Order[] {
  const left = signs.filter(({ crossing }) => crossing !== undefined);
  const [first] = left.toSorted((a, b) => a.crossing!.outsideMs - b.crossing!.outsideMs);
  if (!first) return [];
  const orders = left.flatMap(sign => (sign === first ? [] : (orderOf(first, sign, intervalMs) ?? [])));
  return orders
    .filter(order => order.first === first)
    .sort((a, b) => a.leadMs - b.leadMs)
    .slice(0, mostOrders);
}

function textOf({ is }: Symptom, sign: Sign): string {
  const name = clean(sign.field, 60);
  switch (is) {
    case 'jumping':
      return sign.jumps === 1
        ? `${name} jumps: a single reading stands apart from those around it`
        : `${name} jumps: ${sign.jumps} single readings stand apart from those around them`;
    case 'noisy':
      return `${name} changes ${formatNumber(sign.noise, 100)} times as much from row to row as before`;
    case 'stuck':
      return `${name} does not move at all, at ${valueText(sign)}`;
    case 'outOfRange':
      return `${name} lies outside what is physically possible`;
    case 'usual':
      return Math.abs(sign.shift) < 1
        ? `${name} is as ${sign.since === 'past' ? 'before' : 'usual'}: ${valueText(sign)}`
        : shiftText(sign);
    case 'scaled':
      return scaledText(sign);
    default:
      return shiftText(sign);
  }
}

/** Of a channel that is not: how it is. */
function scaledText(sign: Sign): string {
  if (sign.scaledBy === undefined) return shiftText(sign);
  const times = formatNumber(sign.scaledBy, Math.max(10, sign.scaledBy));
  return `${clean(sign.field, 60)} is ${times} times what it was, noise and all, and got there in one step`;
}

/** `flow is low: 12.1 m³/h, 35 – 41 m³/h before, since 11:36:02 UTC, and got there in one step` */
function shiftText(sign: Sign): string {
  const name = clean(sign.field, 60);
  if (sign.usual === null) return `${name} is ${valueText(sign)}`;
  const side = sign.shift > 1 ? 'high' : sign.shift < -1 ? 'low' : 'changed';
  const scale = Math.max(Math.abs(sign.now ?? 0), ...sign.usual.map(Math.abs));
  const range = withUnit(formatRange(sign.usual, scale), sign.unit);
  const since = sign.leftMs === null ? '' : `, since ${formatClock(sign.leftMs)} UTC`;
  const usual = sign.since === 'past' ? `${range} before` : `usually ${range}`;
  const how = sign.stepped && side !== 'changed' ? ', and got there in one step' : '';
  return `${name} is ${side}: ${valueText(sign)}, ${usual}${since}${how}`;
}

function valueText({ now, unit, usual }: Sign): string {
  if (now === null) return 'without a value';
  const scale = Math.max(Math.abs(now), ...(usual ?? []).map(Math.abs));
  return withUnit(formatBound(now, scale), unit);
}
