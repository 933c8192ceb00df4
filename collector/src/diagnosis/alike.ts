/**
 * Earlier incidents that looked like this one: what was thought of them, and what people said.
 *
 * Only what people said moves the odds of a cause, and not by much: a guess of ours that nobody confirmed must not make
 * the same guess likelier the next time.
 */
import type { Incident } from '../alerts/incident.js';
import { clean } from '../notifiers/format.js';
import type { Trait } from './diagnosis.js';

export interface Alike {
  readonly incident: Incident;
  /** 0 to 1. */
  readonly likeness: number;
  readonly isSameDevice: boolean;
}

/** From here on two incidents look alike. */
const alikeFrom = 0.6;
/** That are heeded. */
const mostAlike = 5;
/** What people said of another machine of the type counts so much. */
const otherMachine = 0.5;
/** All of it together makes a cause at most so many times as likely, or as unlikely. */
const mostLift = 2;
/** Of incidents from before their traits were kept: channels with less than this share say nothing. */
const leastWeight = 0.1;

/**
 * The most telling ones first: of the same device, judged by people, alike, recent.
 * @param earlier  incidents that are over
 */
export function alikeTo(
  incident: Pick<Incident, 'gateway' | 'device' | 'deviceType'>,
  traits: readonly Trait[],
  earlier: readonly Incident[],
): readonly Alike[] {
  if (traits.length === 0) return [];
  const wanted = new Set(traits.map(keyOf));
  return earlier
    .filter(({ deviceType, detector }) => deviceType === incident.deviceType && !unlike.has(detector))
    .map(other => ({
      incident: other,
      likeness: likenessOf(wanted, keysOf(other)),
      isSameDevice: other.gateway === incident.gateway && other.device === incident.device,
    }))
    .filter(({ likeness }) => likeness >= alikeFrom)
    .sort(
      (a, b) =>
        Number(b.isSameDevice) - Number(a.isSameDevice) ||
        Number(isJudged(b)) - Number(isJudged(a)) ||
        b.likeness - a.likeness ||
        b.incident.firstMs - a.incident.firstMs ||
        (a.incident.id < b.incident.id ? -1 : 1),
    )
    .slice(0, mostAlike);
}

/** These tell nothing of what channels showed. */
const unlike: ReadonlySet<string> = new Set(['drift', 'pipeline']);

/**
 * How many times as likely a cause is by what people said of incidents that looked like this one and were taken for it.
 * 1 where nobody said anything.
 */
export function liftOf(causeId: string, alike: readonly Alike[]): number {
  const said = alike
    .filter(({ incident }) => namedIn(incident) === causeId)
    .reduce((sum, one) => sum + verdictOf(one) * one.likeness * (one.isSameDevice ? 1 : otherMachine), 0);
  return mostLift ** Math.max(-1, Math.min(1, said));
}

/** The first cause of its diagnosis, if that was worth a name. */
export function namedIn({ diagnosis }: Incident): string | undefined {
  return diagnosis && diagnosis.verdict !== 'unknown' ? diagnosis.causes[0]?.id : undefined;
}

function verdictOf({ incident: { handling } }: Alike): -1 | 0 | 1 {
  const verdict = handling?.feedback?.verdict;
  return verdict === 'real' ? 1 : verdict === 'false-alarm' ? -1 : 0;
}

function isJudged(one: Alike): boolean {
  return verdictOf(one) !== 0;
}

/** Incidents that are over stay as they are, and each look asks for all of them. */
const keysOfIncident = new WeakMap<Incident, readonly string[]>();

function keysOf(incident: Incident): readonly string[] {
  const known = keysOfIncident.get(incident);
  if (known) return known;
  const keys = [...new Set(traitsOf(incident).map(keyOf))];
  keysOfIncident.set(incident, keys);
  return keys;
}

function traitsOf({ diagnosis, channels }: Incident): readonly Trait[] {
  if (diagnosis?.traits) return diagnosis.traits;
  return channels.flatMap(({ field, direction, weight, of }) =>
    direction === 'unusual' || weight < leastWeight || of !== undefined
      ? []
      : [{ field: clean(field, 60), is: direction }],
  );
}

function keyOf({ field, is }: Trait): string {
  return `${is} ${field}`;
}

/** Twice what both have, of all that each has (Dice). */
function likenessOf(wanted: ReadonlySet<string>, keys: readonly string[]): number {
  if (keys.length === 0) return 0;
  let common = 0;
  for (const key of keys) if (wanted.has(key)) common += 1;
  return (2 * common) / (wanted.size + keys.length);
}
