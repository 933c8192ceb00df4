/** From what the journal has of a device type to what may be learned from, or to the reason why nothing may. */
import { quantile } from '@edgeward/models/statistics';
import { rowsWhere } from '@edgeward/models/training-rows';
import type { TrainingTable } from '@edgeward/models/training-table';
import type { RecordBatch } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import { selectRows } from '@edgeward/shared/select-rows';
import { type History, Mark, stretchRows } from './history.js';
import type { HistoryRequest, LeftOut, LeftOutReason, Trouble } from './request.js';
import { fieldsText, leftOutText } from './text.js';

/**
 * Rows before and after what was unusual, in steps of the device: a fault begins before it is found, and lasts in means
 * after it. Together more than 100: so much of a gap that a model begins anew behind it instead of joining its ends.
 */
const besideAlarm = 60;
/** Around a value that is wrong. */
const besideWrong = 5;

export interface HistoryTable extends TrainingTable {
  readonly leftOut: LeftOut;
  /** Names of those that most rows lack. */
  readonly fieldsLeftOut: readonly string[];
  /** What was taken, for the card. */
  readonly source: string;
}

/** @throws EW_TRAIN_INPUT if what is left is too little, or too much had to be left out */
export function historyTable(history: History, request: HistoryRequest): HistoryTable {
  const { stride, wrongTimes, damaged } = history;
  const { batch, marks, fieldsLeftOut } = history.finish();
  const reasons = reasonsOf(batch, marks, request.troubles);
  const leftOut = { time: wrongTimes, ...countsOf(reasons) };
  const skippedRows = Object.values(leftOut).reduce((sum, rows) => sum + rows, 0);
  const usable = rowsWhere(reasons.length, r => reasons[r] === Reason.none);
  check(batch, usable, leftOut, skippedRows, request);
  const kept = usable.length === reasons.length ? batch : selectRows(batch, usable);
  const thinned = stride > 1 ? `; of every ${stride} stretches of ${stretchRows} rows of a device one` : '';
  const lost = damaged > 0 ? `; ${damaged} blocks could not be read` : '';
  const source = `journal of ${request.collector}; left out: ${leftOutText(leftOut)}${fieldsText(fieldsLeftOut)}${thinned}${lost}`;
  return { batch: kept, skippedRows, leftOut, fieldsLeftOut, source };
}

const Reason = { none: 0, alarm: 1, incident: 2, quality: 3, near: 4 } as const;
const named: readonly (LeftOutReason | undefined)[] = [undefined, 'alarm', 'incident', 'quality', 'near'];

function reasonsOf(batch: RecordBatch, marks: Uint8Array, troubles: readonly Trouble[]): Uint8Array {
  const steps = stepsOf(batch);
  const reasons = Uint8Array.from(marks, mark => (mark === Mark.alarm ? Reason.alarm : Reason.none));
  const spans = troublesOf(batch, troubles);
  const noMargin = new Float64Array(steps.length);
  const beside = (rows: number) => steps.map(stepMs => rows * stepMs);
  markSpans(batch, spans, noMargin, reasons, Reason.incident);
  for (let r = 0; r < reasons.length; r++)
    if (reasons[r] === Reason.none && marks[r] === Mark.quality) reasons[r] = Reason.quality;
  const isAlarm = (reason: number) => reason === Reason.alarm;
  markNear(batch, reasons, isAlarm, beside(besideAlarm));
  markNear(batch, reasons, reason => reason === Reason.quality, beside(besideWrong));
  markSpans(batch, spans, beside(besideAlarm), reasons, Reason.near);
  return reasons;
}

/** Median step of each device: of one type, one may be read more often than another. */
function stepsOf({ schema, time, device }: RecordBatch): Float64Array {
  const times = schema.devices.map((): number[] => []);
  for (let r = 0; r < time.length; r++) times[device[r]!]!.push(time[r]!);
  return Float64Array.from(times, own => {
    const steps = Float64Array.from(own.slice(1), (timeMs, i) => timeMs - own[i]!).filter(step => step > 0);
    return steps.length > 0 ? quantile(steps.sort(), 0.5) : 0;
  });
}

function troublesOf({ schema }: RecordBatch, troubles: readonly Trouble[]): Trouble[][] {
  return schema.devices.map(key => troubles.filter(trouble => trouble.key === key));
}

function markSpans(
  { time, device }: RecordBatch,
  spans: readonly (readonly Trouble[])[],
  marginsMs: Float64Array,
  reasons: Uint8Array,
  reason: number,
): void {
  for (let r = 0; r < reasons.length; r++) {
    if (reasons[r] !== Reason.none) continue;
    const [t, marginMs] = [time[r]!, marginsMs[device[r]!]!];
    const within = spans[device[r]!]!.some(
      ({ fromMs, toMs }) => t >= fromMs - marginMs && t <= toMs + marginMs,
    );
    if (within) reasons[r] = reason;
  }
}

/** Rows of the same device at most so far from one that is meant, before and after it. */
function markNear(
  { schema, time, device }: RecordBatch,
  reasons: Uint8Array,
  meant: (reason: number) => boolean,
  marginsMs: Float64Array,
): void {
  const last = new Float64Array(schema.devices.length);
  const visit = (r: number) => {
    const d = device[r]!;
    if (meant(reasons[r]!)) last[d] = time[r]!;
    else if (reasons[r] === Reason.none && Math.abs(time[r]! - last[d]!) <= marginsMs[d]!)
      reasons[r] = Reason.near;
  };
  last.fill(Number.NEGATIVE_INFINITY);
  for (let r = 0; r < reasons.length; r++) visit(r);
  last.fill(Number.POSITIVE_INFINITY);
  for (let r = reasons.length - 1; r >= 0; r--) visit(r);
}

function countsOf(reasons: Uint8Array): Omit<LeftOut, 'time'> {
  const counts = { alarm: 0, incident: 0, quality: 0, near: 0, time: 0 };
  for (const reason of reasons) {
    const name = named[reason];
    if (name) counts[name] += 1;
  }
  const { time: _, ...others } = counts;
  return others;
}

function check(
  { time }: RecordBatch,
  usable: Int32Array,
  leftOut: LeftOut,
  skipped: number,
  { type, limits, sinceMs }: HistoryRequest,
): void {
  const all = time.length + leftOut.time;
  if (all === 0) {
    const since = Number.isFinite(sinceMs) ? ` since ${isoOf(sinceMs)}` : '';
    throw refusal(`Of ${type} the journal has no rows${since}. Look further back, or wait for some.`);
  }
  const share = skipped / all;
  if (share > limits.maxLeftOut) {
    const percent = (part: number) => `${Math.round(100 * part)} %`;
    throw refusal(
      `${percent(share)} of ${all} rows had to be left out, more than ${percent(limits.maxLeftOut)}: ${leftOutText(leftOut)}. A model of the others could take for usual what is not. Choose a span in which the devices were well with --hours, or end the alarms first; if they are false, train from a CSV with edgeward train.`,
    );
  }
  const hours = usable.length === 0 ? 0 : (time[usable.at(-1)!]! - time[usable[0]!]!) / 3_600_000;
  if (usable.length < limits.minRows || hours < limits.minHours)
    throw refusal(
      `${usable.length} usable rows of ${type} over ${hours.toFixed(1)} h, and ${limits.minRows} over ${limits.minHours} h are asked for. Wait for more, look further back, or lower training.minRows or training.minHours.`,
    );
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}

function refusal(detail: string): EdgewardError {
  return new EdgewardError('EW_TRAIN_INPUT', detail);
}
