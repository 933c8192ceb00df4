/** What the parts of the collector say of themselves and of the gateways at one look, as plain numbers. */
import type { ReaderLag } from '@edgeward/shared/contracts';
import type { ConsumerView } from '../runtime/view.js';
import type { HopTimes } from './pulse.js';

/** Absent numbers are not known. */
export interface GatewayReading {
  readonly id: string;
  readonly site: string | null;
  readonly online: boolean;
  /** It said that it ends. */
  readonly stopped: boolean;
  /** It reports, as agents do. */
  readonly isAgent: boolean;
  readonly epoch: string | null;
  readonly devices: number;
  /** Since anything came, ms; undefined = nothing has since the start of the collector. */
  readonly silentMs: number | undefined;
  /** Between the first and the last that came since then, ms. */
  readonly knownMs: number;
  readonly usualGapMs: number;
  readonly gaps: number;
  readonly rows: number;
  readonly freshRows: number;
  readonly lateRows: number;
  readonly hops: HopTimes | undefined;
  readonly outbox: { readonly bytes: number; readonly share: number; readonly ageS: number } | undefined;
  /** Of the newest report, and when that came. */
  readonly clockOffsetS: number | undefined;
  readonly reportedMs: number | null;
  readonly rssBytes: number | undefined;
  readonly cpuSeconds: number | undefined;
  readonly reportAtMs: number | undefined;
}

export interface CollectorReading {
  readonly name: string;
  readonly rows: number;
  readonly blocks: number;
  readonly duplicates: number;
  readonly deadLetters: number;
  readonly receipts: number;
  readonly queuedBytes: number;
  readonly queueMaxBytes: number;
  readonly connections: number;
  readonly refusals: number;
  readonly broker: { readonly ok: boolean; readonly detail: string; readonly external: boolean } | undefined;
  /** Why nothing can be stored. */
  readonly failure: string | null;
  /** A sink in receiptAfter lags, and the journal has no more room for it. */
  readonly blocked: string | null;
  readonly rssBytes: number;
  readonly cpuSeconds: number;
  readonly freeBytes: number | undefined;
  readonly stopping: boolean;
}

export interface SinkReading
  extends Pick<ConsumerView, 'name' | 'state' | 'lag' | 'failure' | 'rowsStored' | 'refusedRows'> {
  readonly errors: number;
  readonly writes: number;
  readonly writeSeconds: number;
  readonly readers: readonly ReaderLag[];
}

export interface Reading {
  /** Wall time, and the monotonic clock, ms. */
  readonly nowMs: number;
  readonly atMs: number;
  readonly collector: CollectorReading;
  readonly sinks: readonly SinkReading[];
  readonly gateways: readonly GatewayReading[];
}

export function sinkReading(view: ConsumerView): SinkReading {
  const { name, state, lag, failure, rowsStored, refusedRows, errors, writes, writeSeconds, readers } = view;
  const all = [...errors.values()].reduce((sum, count) => sum + count, 0);
  const common = { name, state, lag, failure, rowsStored, refusedRows, writes, readers };
  return { ...common, errors: all, writeSeconds: writeSeconds.sum };
}
