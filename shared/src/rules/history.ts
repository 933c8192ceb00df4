import { z } from 'zod';
import { getOrMake } from '../maps.js';
import { kindOf } from '../windows/time-window.js';
import { printDuration } from './duration.js';
import type { PastPart, PlainFor, WindowTerm } from './expression.js';
import { LastingRows } from './lasting-rows.js';
import { WindowColumns } from './window-columns.js';

/** JSON would write what is not finite as null. */
const number = z
  .number()
  .nullable()
  .transform(value => value ?? Number.NaN);
const line = z.strictObject({ since: z.number(), newest: z.number(), farBack: z.int().min(0) });
const windowState = z.strictObject({
  line,
  queue: z.strictObject({
    front: z.int().min(0),
    cells: z.array(number).readonly(),
    back: z.array(number).readonly(),
  }),
  last: z.tuple([z.number(), number]).readonly().optional(),
});
const streakState = z.strictObject({ line, held: z.tuple([z.number(), z.number()]).readonly().optional() });
const historyState = z.strictObject({
  windows: z.record(z.string(), z.record(z.string(), windowState)),
  lasting: z.record(z.string(), z.record(z.string(), streakState)),
});

/** JSON: by the part of a rule, then by device. */
export type HistoryState = z.input<typeof historyState>;

/**
 * What rules remember of the rows before: per device, in memory that does not grow with time. Rules that ask for the
 * same share it. Batches come one after another, whatever sources they are of.
 */
export class RuleHistory {
  readonly #windows = new Map<string, WindowColumns>();
  readonly #lasting = new Map<string, LastingRows>();

  /** @param parts  of all rules that will be bound to it */
  constructor(parts: readonly PastPart[]) {
    for (const part of parts) {
      if (part.kind === 'for') getOrMake(this.#lasting, part.key, () => new LastingRows(part.durationMs));
      else {
        const { what, lengthMs } = part;
        getOrMake(this.#windows, keyOf(part), () => new WindowColumns(kindOf[what], lengthMs)).want(what);
      }
    }
  }

  window(term: WindowTerm): WindowColumns {
    const found = this.#windows.get(keyOf(term));
    if (!found) throw new TypeError('the history does not know this rule');
    return found;
  }

  lasting({ key }: PlainFor): LastingRows {
    const found = this.#lasting.get(key);
    if (!found) throw new TypeError('the history does not know this rule');
    return found;
  }

  /** A device whose rows come more rarely than one of the parts looks back, so that it is never known there. */
  tooRare(parts: readonly PastPart[]): string | undefined {
    for (const part of parts) {
      const { devices } = part.kind === 'for' ? this.lasting(part) : this.window(part);
      const device = devices.find(({ tooRare }) => tooRare);
      if (device !== undefined) return device;
    }
    return undefined;
  }

  save(): HistoryState {
    return {
      windows: mapped(this.#windows, ({ devices }) => devices.save(window => window.save())),
      lasting: mapped(this.#lasting, ({ devices }) => devices.save(streak => streak.save())),
    };
  }

  /**
   * Goes on from what was saved; what no rule asks for any more is left out.
   * @throws ZodError, TypeError if it is not what `save` gave; then use a new history
   */
  load(saved: unknown): void {
    const { windows, lasting } = historyState.parse(saved);
    for (const [key, { devices }] of this.#windows)
      for (const [device, state] of Object.entries(windows[key] ?? {})) devices.get(device).load(state);
    for (const [key, { devices }] of this.#lasting)
      for (const [device, state] of Object.entries(lasting[key] ?? {})) devices.get(device).load(state);
  }
}

function keyOf({ what, field, lengthMs }: WindowTerm): string {
  return `${kindOf[what]} ${field} ${printDuration(lengthMs)}`;
}

function mapped<T, S>(map: ReadonlyMap<string, T>, change: (value: T) => S): Record<string, S> {
  return Object.fromEntries([...map].map(([key, value]) => [key, change(value)]));
}
