/**
 * Ranks causes by what they would make the channels show, against what these show (naive Bayes over symptoms).
 *
 * Each symptom says how often it comes with its cause, and how often with other troubles. How clearly it shows is a
 * matter of degree, so its word is weighed by that. What shows and is no symptom of a cause speaks against it. None of
 * the known causes is a cause too: where nothing fits well, the answer is that it is unknown.
 */
import type { Change } from '../changes/change.js';
import { clean } from '../notifiers/format.js';
import { type Alike, liftOf } from './alike.js';
import { type Cause, type Manner, names, type Symptom } from './catalogue.js';
import type { Trait } from './diagnosis.js';
import { isUnitFactor } from './known-units.js';
import { leadOf } from './onset.js';
import type { Sign } from './signs.js';

/** One device's signs, with what detectors said of its channels. */
export interface DeviceSigns {
  readonly device: string;
  readonly deviceType: string;
  readonly signs: readonly Sign[];
  /** From row to row, ms. */
  readonly intervalMs: number;
}

/** What a detector said of a channel. */
export interface Blamed {
  readonly field: string;
  readonly direction: 'high' | 'low' | 'unusual';
  readonly weight: number;
}

export interface Facts extends DeviceSigns {
  readonly blamed: readonly Blamed[];
  /** Channels that the check of quality has marked, by its reason: `stuck`, `outOfRange`. */
  readonly marked: Readonly<Record<string, readonly string[]>>;
  /** Other devices of the same gateway. */
  readonly others: readonly DeviceSigns[];
  /** Other devices of the gateway whose trouble began about then. */
  readonly company: number;
  /** Earlier incidents that looked like it, the most telling first. */
  readonly alike: readonly Alike[];
  /** Some of them are not of the gateway. */
  readonly farOff?: boolean;
  readonly gateway: string;
  /** What changed at its gateway or device before, newest first. */
  readonly changes: readonly Change[];
  /** Time of its first flagged row. */
  readonly sinceMs: number;
}

/** One thing that was looked for. */
export interface Seen {
  readonly symptom: Symptom | 'alone' | 'spread' | 'past';
  /** 0 = not there, 1 = clearly. */
  readonly degree: number;
  /** Where it was found. */
  readonly sign?: Sign | undefined;
  readonly device?: string | undefined;
  /** Which of two channels left first, and by how much. */
  readonly order?: Order | undefined;
  readonly change?: Change | undefined;
  /** Above 1 speaks for the cause, below against. */
  readonly ratio: number;
}

/** One channel left what is usual for it clearly before another one. */
export interface Order {
  readonly first: Sign;
  readonly second: Sign;
  readonly leadMs: number;
}

export interface Ranked {
  readonly cause: Cause;
  /** 0 to 1; with `unknown` they add up to 1. */
  readonly probability: number;
  readonly seen: readonly Seen[];
  /** Channels that show something which the cause does not explain. */
  readonly unexplained: readonly Sign[];
}

export interface Ranking {
  /** Most probable first. */
  readonly causes: readonly Ranked[];
  readonly unknown: number;
  /** The channel that shows most. */
  readonly telling: Sign | undefined;
}

/** Weight of "none of these", beside causes of prior 1. */
const unknownWeight = 3;
/** Half widths of what is usual for a channel, from where it is unusual a little, and clearly. */
const shifted = [1.4, 2.8] as const;
/** What is left of a cause for a channel that clearly shows something it does not explain. */
const leftOver = 0.25;
/** Symptoms of one cause are not independent, as naive Bayes takes them to be: their word counts for less. */
const tempering = 0.75;
/** How often one channel shows alone, and several devices at once, where a cause says so, and elsewhere. */
const aloneChances = { often: 0.9, else: 0.5 };
const spreadChances = { true: { often: 0.9, else: 0.15 }, false: { often: 0.95, else: 0.85 } };

export function rank(catalogue: readonly Cause[], facts: Facts): Ranking {
  const degrees = new Map(facts.signs.map(sign => [sign.field, unusualOf(sign, facts)]));
  const telling = tellingOf(facts, degrees);
  const fitting = catalogue.filter(({ on }) => on === undefined || names(on, facts.deviceType));
  const weighed = fitting.map(cause => weigh(cause, facts, degrees, telling));
  const sum = weighed.reduce((total, { weight }) => total + weight, unknownWeight);
  return {
    causes: weighed
      .map(({ weight, ...rest }) => ({ ...rest, probability: weight / sum }))
      .sort((a, b) => b.probability - a.probability || (a.cause.id < b.cause.id ? -1 : 1)),
    unknown: unknownWeight / sum,
    telling,
  };
}

function weigh(
  cause: Cause,
  facts: Facts,
  degrees: ReadonlyMap<string, number>,
  telling: Sign | undefined,
): Omit<Ranked, 'probability'> & { weight: number } {
  const seen = cause.symptoms.flatMap(symptom => lookFor(symptom, facts, telling) ?? []);
  const showing = [...degrees.values()].filter(degree => degree >= 0.5).length;
  if (cause.alone !== undefined) seen.push(wholly('alone', cause.alone === showing <= 1, aloneChances));
  if (cause.spread !== undefined)
    seen.push(wholly('spread', cause.spread === facts.company > 0, spreadChances[`${cause.spread}`]));
  const lift = liftOf(cause.id, facts.alike);
  if (lift !== 1) seen.push({ symptom: 'past', degree: 1, ratio: lift });
  const unexplained = facts.signs.filter(
    sign => degrees.get(sign.field)! > 0.3 && !explains(cause, seen, sign, telling),
  );
  const known = seen.some(({ symptom }) => typeof symptom === 'object' && symptom.is !== undefined);
  const ratio = seen.reduce((product, one) => product * one.ratio, known ? 1 : 0);
  const left = unexplained.reduce(
    (product, { field }) => product * (1 - (1 - leftOver) * degrees.get(field)!),
    1,
  );
  return { cause, seen, unexplained, weight: cause.prior * (ratio * left) ** tempering };
}

function wholly(symptom: 'alone' | 'spread', holds: boolean, chances: Chances): Seen {
  const degree = holds ? 1 : 0;
  return { symptom, degree, ratio: ratioOf(chances, degree) };
}

/** Undefined where no device has such a channel, or the order is not clear: that says nothing. */
function lookFor(symptom: Symptom, facts: Facts, telling: Sign | undefined): Seen | undefined {
  if (symptom.changed !== undefined) return inChanges(symptom, facts, telling);
  if (symptom.is === undefined) return inOrder(symptom, facts, telling);
  const { is } = symptom;
  const found = placesOf(symptom, facts).flatMap(place =>
    channelsFor(
      symptom,
      place.signs.filter(sign => isKnown(sign, facts)),
      telling,
    ).map(sign => ({
      symptom,
      sign,
      device: place.device,
      degree: degreeOf({ ...symptom, is }, sign, place === facts ? facts : undefined),
    })),
  );
  const [first, ...rest] = found;
  if (!first) return undefined;
  const best = rest.reduce((a, b) => (b.degree > a.degree ? b : a), first);
  return { ...best, ratio: ratioOf(symptom, best.degree) };
}

function placesOf({ of }: Symptom, facts: Facts): readonly DeviceSigns[] {
  return of === undefined ? [facts] : facts.others.filter(other => names(of, other.deviceType));
}

/** Its first flagged row, or when the most telling channel left before that. */
export function beganAt({ sinceMs }: Pick<Facts, 'sinceMs'>, telling: Sign | undefined): number {
  return Math.min(sinceMs, telling?.leftMs ?? sinceMs);
}

const usuallyWithinMin = 15;

/** What came after the first sign of trouble is none of its causes. */
function inChanges(symptom: Symptom, facts: Facts, telling: Sign | undefined): Seen {
  const { changed = '', withinMin = usuallyWithinMin } = symptom;
  const kinds = changed.split('|');
  const beganMs = beganAt(facts, telling);
  const change = facts.changes.find(
    ({ kind, atMs }) => kinds.includes(kind) && atMs <= beganMs && beganMs - atMs <= 60_000 * withinMin,
  );
  const degree = change ? 1 : 0;
  return { symptom, degree, ratio: ratioOf(symptom, degree), change };
}

/** Of all pairs that it means, the clearest one. */
function inOrder(symptom: Symptom, facts: Facts, telling: Sign | undefined): Seen | undefined {
  const { before } = symptom;
  const rivals = before === undefined ? facts.signs : facts.signs.filter(({ field }) => names(before, field));
  const pairs = placesOf(symptom, facts).flatMap(place => {
    const intervalMs = Math.max(place.intervalMs, facts.intervalMs);
    return channelsFor(symptom, place.signs, telling).flatMap(sign => {
      const known = rivals.filter(rival => rival !== sign && rival.crossing);
      const orders = known.map(rival => orderOf(sign, rival, intervalMs));
      // The first of all has to be so beside each of them; that another one was before it is enough against it.
      const isOpen = before === undefined && orders.some(order => order === undefined);
      const clear = orders.filter(order => order !== undefined);
      const counter = clear.find(({ second }) => second === sign);
      const order = counter ?? (isOpen ? undefined : clear.sort((a, b) => b.leadMs - a.leadMs)[0]);
      return order ? [{ sign, device: place.device, order, degree: counter ? 0 : 1 }] : [];
    });
  });
  const found = pairs.find(({ degree }) => degree === 1) ?? pairs[0];
  return found && { symptom, ...found, ratio: ratioOf(symptom, found.degree) };
}

/** Undefined where it is not clear. */
export function orderOf(a: Sign, b: Sign, intervalMs: number): Order | undefined {
  if (!a.crossing || !b.crossing) return undefined;
  const lead = leadOf(a.crossing, b.crossing, intervalMs);
  if (lead !== undefined) return { first: a, second: b, leadMs: lead };
  const behind = leadOf(b.crossing, a.crossing, intervalMs);
  return behind === undefined ? undefined : { first: b, second: a, leadMs: behind };
}

/** Of others it cannot be said that they show nothing. */
function isKnown(sign: Sign, { blamed }: Facts): boolean {
  return sign.usual !== null || blamed.some(({ field }) => field === sign.field);
}

function channelsFor({ channel, of }: Symptom, signs: readonly Sign[], telling: Sign | undefined): Sign[] {
  if (channel !== undefined) return signs.filter(({ field }) => names(channel, field));
  return telling && of === undefined ? [telling] : [];
}

type Chances = Pick<Symptom, 'often' | 'else'>;

function ratioOf(likelihood: Chances, degree: number): number {
  const share = (chance: number) => degree * chance + (1 - degree) * (1 - chance);
  return share(likelihood.often) / share(likelihood.else);
}

function degreeOf(
  { is, how, by }: Pick<Symptom, 'how' | 'by'> & { readonly is: Manner },
  sign: Sign,
  facts: Word | undefined,
): number {
  const degree =
    by === undefined ? mannerOf(is, sign, facts) : farOf(is === 'low' ? -1 : 1, by, sign, is === 'shifted');
  if (how === undefined) return degree;
  return (how === 'step') === sign.stepped ? degree : degree / 4;
}

/** Only its own past says how far it is. */
function farOf(side: 1 | -1, by: number, { shift }: Sign, either: boolean): number {
  return between(either ? Math.abs(shift) : side * shift, by / 2, by);
}

function mannerOf(is: Manner, sign: Sign, facts: Word | undefined): number {
  switch (is) {
    case 'high':
    case 'low':
      return sideOf(is, sign, facts);
    case 'shifted':
      return Math.max(sideOf('high', sign, facts), sideOf('low', sign, facts));
    case 'scaled':
      return sign.scaledBy === undefined ? 0 : isUnitFactor(sign.scaledBy) ? 1 : 0.3;
    case 'usual':
      return 1 - unusualOf(sign, facts);
    case 'jumping':
      return Math.min(1, sign.jumps / 3);
    case 'noisy':
      return between(sign.noise, 4, 8);
    case 'stuck':
      return sign.still || isMarked('stuck', sign, facts) ? 1 : 0;
    case 'outOfRange':
      return isMarked('outOfRange', sign, facts) ? 1 : 0;
  }
}

/** What detectors and checks say of the channels. */
type Word = Pick<Facts, 'blamed' | 'marked'>;

/** By its own past; what detectors blame counts where that is not known, or where they agree. */
function sideOf(side: 'high' | 'low', sign: Sign, facts: Word | undefined): number {
  const shift = side === 'high' ? sign.shift : -sign.shift;
  const blamed = facts?.blamed.find(({ field }) => field === sign.field);
  const word = blamed && blamed.direction === side ? Math.min(1, 2 * blamed.weight) : 0;
  if (sign.usual === null) return word;
  return shift < 1 ? 0 : Math.max(between(shift, ...shifted), word);
}

function unusualOf(sign: Sign, facts: Word | undefined): number {
  // Doors that stay shut and defrosts that do not come tell nothing by themselves.
  if (sign.isSwitch && sign.shift < 0) return 0;
  return Math.max(sideOf('high', sign, facts), sideOf('low', sign, facts), textureOf(sign));
}

const mostTraits = 12;

/** What shows more than not, the clearest first. */
export function traitsOf(facts: Pick<Facts, 'signs' | 'blamed' | 'marked'>): Trait[] {
  const traits = facts.signs.flatMap((sign): (Trait & { degree: number })[] => {
    const { field, isSwitch } = sign;
    const shows = (is: Trait['is']) => ({ field, is, degree: mannerOf(is, sign, facts) });
    const manners = (isSwitch ? ['high'] : ['high', 'low', 'jumping', 'noisy', 'stuck']) as Trait['is'][];
    return manners.map(shows).filter(({ degree }) => degree >= 0.5);
  });
  return traits
    .sort((a, b) => b.degree - a.degree)
    .slice(0, mostTraits)
    .map(({ field, is }) => ({ field: clean(field, 60), is }));
}

function isMarked(reason: string, { field }: Sign, facts: Word | undefined): boolean {
  return facts?.marked[reason]?.includes(field) ?? false;
}

/** What a cause may disturb as well moves with it, but does not begin to jump. */
function explains(cause: Cause, seen: readonly Seen[], sign: Sign, telling: Sign | undefined): boolean {
  const isSymptom = ({ symptom, sign: found, degree }: Seen) =>
    typeof symptom === 'object' &&
    found === sign &&
    symptom.is !== undefined &&
    symptom.is !== 'usual' &&
    degree >= 0.3;
  if (seen.some(isSymptom)) return true;
  const meant = cause.symptoms.some(({ channel, is }) => channel === undefined && is === 'shifted');
  if (meant && sign === telling && textureOf(sign) < 0.5) return true;
  return textureOf(sign) < 0.5 && cause.may.some(words => names(words, sign.field));
}

/** Other than by its level. */
function textureOf({ jumps, noise, still }: Sign): number {
  return Math.max(Math.min(1, jumps / 3), between(noise, 4, 8), still ? 1 : 0);
}

/** The one that shows most and is blamed most; never a switch, which has no sensor to blame. */
function tellingOf(facts: Facts, degrees: ReadonlyMap<string, number>): Sign | undefined {
  const blame = (sign: Sign) => facts.blamed.find(({ field }) => field === sign.field)?.weight ?? 0;
  const [first, ...rest] = facts.signs.filter(({ isSwitch }) => !isSwitch);
  if (!first) return undefined;
  const value = (sign: Sign) => degrees.get(sign.field)! + 2 * blame(sign);
  return rest.reduce((best, sign) => (value(sign) > value(best) ? sign : best), first);
}

function between(value: number, from: number, to: number): number {
  return Math.max(0, Math.min(1, (value - from) / (to - from)));
}
