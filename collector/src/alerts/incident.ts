import type { ChannelEvidence } from '@edgeward/shared/contracts';
import type { Diagnosis } from '../diagnosis/diagnosis.js';
import type { Asset } from '../topology/place.js';
import type { Handling } from './handling.js';

export type Severity = 'info' | 'warning' | 'critical';

/** One channel that took part, over the whole incident so far. */
export interface IncidentChannel extends ChannelEvidence {
  readonly unit: string | null;
  /** In how many flagged rows the channel was named. */
  readonly rows: number;
  readonly firstMs: number;
}

/** What one detector said, over the whole incident so far. */
export interface IncidentDetector {
  /** forest, rule, quality, surprise, drift or pipeline. */
  readonly detector: string;
  /** Model revision, rule name or quality reason. */
  readonly source: string;
  /** Of the row, among those that it gave reasons for, that lay farthest beyond the threshold. */
  readonly score: number;
  readonly threshold: number;
  /** Flagged rows for which it named channels. */
  readonly explainedRows: number;
  /** Largest part first; shares of this detector's word alone. */
  readonly channels: readonly IncidentChannel[];
}

export interface IncidentNote {
  readonly atMs: number;
  readonly text: string;
}

/** What a language model made of the diagnosis. It adds words, nothing that severity or actions depend on. */
export interface IncidentWording {
  /** Plain text, checked against the evidence; paragraphs stand apart by an empty line. */
  readonly text: string;
  /** Who worded it, for the reader. */
  readonly model: string;
}

export interface IncidentPart {
  readonly id: string;
  readonly device: string;
  /** Absent in incidents of earlier releases. */
  readonly gateway?: string;
  /** The whole feeds it; absent: the same cause. */
  readonly bond?: 'feeds';
}

/** A stretch of trouble on one device: opened, updated, closed. */
export interface Incident {
  /** Derived from gateway, device, epoch and row of the opening alarm: a redelivery cannot double it. */
  readonly id: string;
  readonly gateway: string;
  readonly site: string | null;
  readonly device: string;
  readonly deviceType: string;
  /** Absent: nothing is known beyond gateway and site. */
  readonly asset?: Asset;
  readonly state: 'open' | 'closed';
  readonly severity: Severity;
  /** The worst that it was; absent: as it is. */
  readonly peakSeverity?: Severity;
  /** Devices of its machine that were in trouble at once, and how many the machine has; absent: it alone. */
  readonly extent?: { readonly devices: number; readonly of?: number };
  readonly title: string;
  /** Time of the first flagged row; alarms are counted in row time. */
  readonly firstMs: number;
  readonly openedMs: number;
  readonly lastMs: number;
  readonly closedMs: number | null;
  readonly rows: number;
  /** Flagged rows that named channels; of a long alarm an agent explains only some. */
  readonly explainedRows: number;
  readonly peakScore: number;
  readonly threshold: number;
  readonly detector: string;
  readonly source: string;
  readonly model: string | null;
  /** Largest part first. */
  readonly channels: readonly IncidentChannel[];
  /** Each that gave reasons, the clearest first; the channels above are theirs together. */
  readonly detectors: readonly IncidentDetector[];
  readonly recommendations: readonly string[];
  readonly timeline: readonly IncidentNote[];
  /** Of trouble in the pipeline: gateways, devices or channels that it has to do with; absent = the device alone. */
  readonly affected?: readonly string[];
  /** Absent before the first look, and where nothing is known of the device's channels. */
  readonly diagnosis?: Diagnosis;
  /** For the page and for later mails of the thread; the first one never waits for it. */
  readonly wording?: IncidentWording;
  /** Id of the incident that has the same cause, and mails for both. */
  readonly partOf?: string;
  /** Incidents that are part of it, the first ones. */
  readonly parts?: readonly IncidentPart[];
  /** How many are part of it; absent: as many as `parts` names. */
  readonly partCount?: number;
  /** What people did with it; absent: nothing. */
  readonly handling?: Handling;
}
