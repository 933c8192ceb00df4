/** What is thought of an incident, with the evidence; all numbers and names that texts about it may use. */
import { isDeepStrictEqual } from 'node:util';
import type { Severity } from '../alerts/incident.js';

/** Stands for the channel's name in `EvidenceItem.plain`. */
export const channelMark = '{channel}';
/** Stands there for the name of `EvidenceItem.other`. */
export const otherMark = '{other}';

/** One observation, in words for people; other texts cite it by its id. */
export interface EvidenceItem {
  /** `E1`, `E2`, … within its diagnosis. */
  readonly id: string;
  readonly text: string;
  /** The same without a name or unit that a device chose; absent in diagnoses of earlier releases. */
  readonly plain?: string;
  readonly device: string;
  /** Absent where it is about the device as a whole. */
  readonly field?: string;
  /** Another channel that it is held against, of the incident's device. */
  readonly other?: { readonly device: string; readonly field: string };
  /**
   * `order`: which channel left first; `change`: what changed before it began; `past`: an earlier incident that looked
   * like it; absent: what one channel or all of a device show.
   */
  readonly kind?: 'order' | 'change' | 'past';
  /** Id of the earlier incident. */
  readonly incident?: string;
}

/** What one channel showed, in a word. */
export interface Trait {
  readonly field: string;
  readonly is: 'high' | 'low' | 'jumping' | 'noisy' | 'stuck';
}

export interface LikelyCause {
  /** In the catalogue. */
  readonly id: string;
  readonly cause: string;
  /** What has to be looked at: `discharge valve`, `sensor of bearingTemperature`. */
  readonly component: string;
  /** `none`: no fault at all. */
  readonly severity: Severity | 'none';
  /** 0 to 1. */
  readonly probability: number;
  /** Ids of what speaks for it, the strongest first. */
  readonly evidence: readonly string[];
  /** Ids of what speaks against it. */
  readonly against: readonly string[];
  readonly actions: readonly string[];
  /** It befalls several devices at once. */
  readonly shared?: true;
}

export interface Diagnosis {
  /** Time of the newest row that it looked at, ms. */
  readonly atMs: number;
  /**
   * `likely`: the first cause is more probable than all else together; `possible`: it is the best of several;
   * `unknown`: the evidence is too weak to name one.
   */
  readonly verdict: 'likely' | 'possible' | 'unknown';
  /** At most three, most probable first; those below 5 % are left out. */
  readonly causes: readonly LikelyCause[];
  /** Probability that it is none of the catalogue's causes. */
  readonly unknown: number;
  readonly evidence: readonly EvidenceItem[];
  /** Looks in a row that named the same first cause, this one included; 1 at the first. */
  readonly agreed: number;
  /** Those of them that found it likely, up to this one; absent: this one did not, or it is of an earlier release. */
  readonly likelyLooks?: number;
  /** By what later incidents are held against it; the clearest first. Absent in diagnoses of earlier releases. */
  readonly traits?: readonly Trait[];
}

/** Whether both say the same, whenever and however often they looked. */
export function saysTheSame(a: Diagnosis | undefined, b: Diagnosis | undefined): boolean {
  return isDeepStrictEqual(said(a), said(b));
}

function said(diagnosis: Diagnosis | undefined) {
  return diagnosis && { ...diagnosis, atMs: 0, agreed: 0, likelyLooks: 0, traits: undefined };
}
