/** What passes between the collector and the process that trains for it. */
import type { Method } from '@edgeward/models/train-table';
import type { ErrorCode } from '@edgeward/shared/errors';
import { z } from 'zod';

/** Trouble of one device, in the time of its rows: nothing of it, nor just beside it, is learned. */
export interface Trouble {
  /** `gateway/device`. */
  readonly key: string;
  readonly fromMs: number;
  readonly toMs: number;
}

export interface TrainingLimits {
  /** Rows that are held at once, at 16 fields or fewer; less for more. */
  readonly maxRows: number;
  /** Fewer usable rows are refused. */
  readonly minRows: number;
  /** A shorter span is refused. */
  readonly minHours: number;
  /** Share of the rows that may be left out. */
  readonly maxLeftOut: number;
}

export interface HistoryRequest {
  readonly type: string;
  /** Older rows are not looked at, ms since Unix epoch. */
  readonly sinceMs: number;
  readonly method?: Method | undefined;
  readonly acceptChange: boolean;
  readonly collector: string;
  readonly troubles: readonly Trouble[];
  readonly limits: TrainingLimits;
}

/** A block as it lies in the journal. */
export interface StoredBytes {
  readonly gateway: string;
  readonly ingestedMs: number;
  readonly schemaId: string;
  readonly bytes: Uint8Array;
}

export type ToTrainer =
  | { readonly kind: 'begin'; readonly request: HistoryRequest }
  | { readonly kind: 'blocks'; readonly schemas: readonly unknown[]; readonly blocks: readonly StoredBytes[] }
  | { readonly kind: 'end' };

/** Why rows are not learned from: each row has one reason, the first of these. */
export const leftOutReasons = ['time', 'alarm', 'incident', 'quality', 'near'] as const;
export type LeftOutReason = (typeof leftOutReasons)[number];
export type LeftOut = Readonly<Record<LeftOutReason, number>>;

export const leftOutView = z.strictObject({
  time: z.number().meta({ description: 'Their time is impossible or unsure' }),
  alarm: z.number().meta({ description: 'Flagged by a model or a rule' }),
  incident: z.number().meta({ description: 'Within an incident of their device' }),
  quality: z.number().meta({ description: 'Invalid, out of range, jumping or stuck values' }),
  near: z.number().meta({ description: 'Beside one of these' }),
});

export interface TrainedHistory {
  readonly files: Readonly<Record<string, Uint8Array>>;
  readonly revision: string;
  readonly rows: number;
  readonly leftOut: LeftOut;
  /** Names of those that most rows lack. */
  readonly fieldsLeftOut: readonly string[];
}

export type FromTrainer =
  | ({ readonly kind: 'trained' } & TrainedHistory)
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly message: string };
