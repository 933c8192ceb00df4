/**
 * What came of the last training of each device type, by its schedule and on demand, kept in one small file that is
 * replaced whole.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { isAbsent, makeFolder, writeFileAtomic } from '@edgeward/shared/files';
import type { Logger } from '@edgeward/shared/log';
import { z } from 'zod';
import { leftOutView } from './request.js';

/** What a training may come to. */
export const outcomes = ['trained', 'unchanged', 'refused', 'failed', 'interrupted'] as const;

export const runSchema = z.strictObject({
  type: z.string(),
  by: z.enum(['schedule', 'demand']),
  /** `unchanged`: it came to a model that is there already. */
  state: z.enum(['running', ...outcomes]),
  startedMs: z.number(),
  endedMs: z.number().nullable(),
  rows: z.number().nullable(),
  leftOut: leftOutView.nullable(),
  /** That most of the rows lack; null = nothing was trained. */
  fieldsLeftOut: z.array(z.string()).readonly().nullable(),
  revision: z.string().nullable(),
  assigned: z.boolean(),
  code: z.string().nullable(),
  text: z.string().nullable(),
});
export type Run = z.output<typeof runSchema>;

/** Another release may have written more than this one knows, or less: when each was trained is worth more than that. */
const storedRun = z.object({
  ...runSchema.shape,
  state: runSchema.shape.state.catch('failed'),
  leftOut: z.object(leftOutView.shape).nullable().catch(null),
  fieldsLeftOut: runSchema.shape.fieldsLeftOut.catch(null),
});
const fileSchema = z.object({ format: z.literal(1), runs: z.array(storedRun) });

/** A schedule has no more types; on demand, older ones give way. */
export const maxTypes = 64;

export class Runs {
  readonly #file: string;
  readonly #scheduled: ReadonlySet<string>;
  #runs: readonly Run[];

  private constructor(file: string, scheduled: ReadonlySet<string>, runs: readonly Run[]) {
    this.#file = file;
    this.#scheduled = scheduled;
    this.#runs = runs;
  }

  /**
   * One that was running when the process ended was interrupted. A file that cannot be read is told and begun anew.
   * @param scheduled  types whose last training by the schedule is never forgotten
   */
  static async open(directory: string, scheduled: Iterable<string>, log: Logger): Promise<Runs> {
    await makeFolder(directory);
    const file = path.join(directory, 'training.json');
    const types = new Set(scheduled);
    try {
      const { runs } = fileSchema.parse(JSON.parse(await readFile(file, 'utf8')));
      return new Runs(file, types, runs.map(ended));
    } catch (error) {
      if (!isAbsent(error)) log.error({ file, err: error }, 'when which model was trained last is lost');
      return new Runs(file, types, []);
    }
  }

  /** Newest first. */
  all(): readonly Run[] {
    return this.#runs;
  }

  get(type: string, by: Run['by']): Run | undefined {
    return this.#runs.find(run => run.type === type && run.by === by);
  }

  /** In memory at once; durable when it resolves. */
  async put(run: Run): Promise<void> {
    const others = this.#runs.filter(({ type, by }) => type !== run.type || by !== run.by);
    const mayGo = [run, ...others].filter(one => !this.#isKept(one));
    const gone = new Set(mayGo.slice(maxTypes));
    this.#runs = [run, ...others].filter(one => !gone.has(one));
    await writeFileAtomic(this.#file, `${JSON.stringify({ format: 1, runs: this.#runs })}\n`);
  }

  #isKept({ type, by }: Run): boolean {
    return by === 'schedule' && this.#scheduled.has(type);
  }
}

function ended(run: Run): Run {
  if (run.state !== 'running') return run;
  return { ...run, state: 'interrupted', code: 'EW_TRAIN_FAILED', text: 'The collector ended while it ran.' };
}
