/** What came of the last training of each device type, kept in one small file that is replaced whole. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { isAbsent, makeFolder, writeFileAtomic } from '@edgeward/shared/files';
import type { Logger } from '@edgeward/shared/log';
import { z } from 'zod';
import { leftOutView } from './request.js';

/** What a training may come to. */
export const outcomes = ['trained', 'unchanged', 'refused', 'failed'] as const;

export const runSchema = z.strictObject({
  type: z.string(),
  by: z.enum(['schedule', 'demand']),
  /** `unchanged`: it came to a model that is there already. */
  state: z.enum(['running', ...outcomes]),
  startedMs: z.number(),
  endedMs: z.number().nullable(),
  rows: z.number().nullable(),
  leftOut: leftOutView.nullable(),
  revision: z.string().nullable(),
  assigned: z.boolean(),
  code: z.string().nullable(),
  text: z.string().nullable(),
});
export type Run = z.output<typeof runSchema>;

const fileSchema = z.object({ format: z.literal(1), runs: z.array(runSchema) });
/** Somebody may ask for types that nobody has. */
const maxRuns = 64;

export class Runs {
  readonly #file: string;
  #runs: readonly Run[];

  private constructor(file: string, runs: readonly Run[]) {
    this.#file = file;
    this.#runs = runs;
  }

  /** One that was running when the process ended has failed. A file that cannot be read is told and begun anew. */
  static async open(directory: string, log: Logger): Promise<Runs> {
    await makeFolder(directory);
    const file = path.join(directory, 'training.json');
    try {
      const { runs } = fileSchema.parse(JSON.parse(await readFile(file, 'utf8')));
      return new Runs(file, runs.map(ended));
    } catch (error) {
      if (!isAbsent(error)) log.error({ file, err: error }, 'when which model was trained last is lost');
      return new Runs(file, []);
    }
  }

  /** Newest first. */
  all(): readonly Run[] {
    return this.#runs;
  }

  get(type: string): Run | undefined {
    return this.#runs.find(run => run.type === type);
  }

  /** In memory at once; durable when it resolves. */
  async put(run: Run): Promise<void> {
    const others = this.#runs.filter(({ type }) => type !== run.type);
    this.#runs = [run, ...others].slice(0, maxRuns);
    await writeFileAtomic(this.#file, `${JSON.stringify({ format: 1, runs: this.#runs })}\n`);
  }
}

function ended(run: Run): Run {
  if (run.state !== 'running') return run;
  return { ...run, state: 'failed', code: 'EW_TRAIN_FAILED', text: 'The collector ended while it ran.' };
}
