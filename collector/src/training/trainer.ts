/** Runs one training in a process of its own, and feeds it from the journal slice by slice. */
import { type ChildProcess, fork } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Clock } from '@edgeward/shared/contracts';
import { detailOf, EdgewardError } from '@edgeward/shared/errors';
import { describedToJson } from '@edgeward/shared/wire';
import type { Journal } from '../journal/journal.js';
import type { FromTrainer, HistoryRequest, ToTrainer, TrainedHistory } from './request.js';

export interface TrainerOptions {
  readonly journal: Pick<Journal, 'encoded' | 'described' | 'position' | 'positionBefore'>;
  readonly clock: Clock;
  readonly maxMs: number;
  /** Default: a process of its own, which gives way to whoever delivers. */
  readonly startProcess?: (() => TrainerProcess) | undefined;
}

/** What is used of a child process. */
export type TrainerProcess = Pick<ChildProcess, 'send' | 'on' | 'kill'>;

const program = fileURLToPath(new URL('./training-process.js', import.meta.url));
/** Of objects; columns lie beside it, and are bounded by the rows. */
const heapMegabytes = 512;
/** Read at once: a millisecond of work. */
const sliceBytes = 256 * 1024;

/**
 * @throws EW_TRAIN_INPUT if the rows cannot be learned from; EW_TRAIN_FAILED if the process ended or took too long;
 *         EW_STOPPED
 */
export async function trainFromJournal(
  request: HistoryRequest,
  options: TrainerOptions,
  stop: AbortSignal,
): Promise<TrainedHistory> {
  const child = (options.startProcess ?? startTrainer)();
  const over = new AbortController();
  try {
    const late = options.clock.sleep(options.maxMs, over.signal);
    const answered = answerOf(child);
    const fed = feed(child, request, options, AbortSignal.any([over.signal, stop]));
    const failed = fed.then(() => new Promise<never>(() => undefined));
    return await Promise.race([
      answered,
      failed,
      lateError(late, options.maxMs),
      stopError(stop, over.signal),
    ]);
  } finally {
    over.abort();
    child.kill('SIGKILL');
  }
}

/** @param givesWay  false: at the usual priority, so that a busy machine does not starve it */
export function startTrainer({ givesWay = true } = {}): ChildProcess {
  const child = fork(program, {
    serialization: 'advanced',
    execArgv: [`--max-old-space-size=${heapMegabytes}`],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  if (givesWay) giveWay(child);
  return child;
}

/** Whoever delivers goes first; where that is not allowed, it does not. */
function giveWay({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // It trains all the same.
  }
}

function answerOf(child: TrainerProcess): Promise<TrainedHistory> {
  const answered = new Promise<TrainedHistory>((resolve, reject) => {
    child.on('message', (message: FromTrainer) => {
      if (message.kind === 'trained') resolve(message);
      else reject(new EdgewardError(message.code, detailOf(message.code, message.message)));
    });
    child.on('error', error => reject(failure(`Its process could not be used: ${error.message}.`)));
    child.on('exit', (code, signal) =>
      reject(
        failure(
          `Its process ended by itself (${signal ?? `exit code ${code}`}), perhaps for want of memory. Lower training.maxRows, or give the machine more.`,
        ),
      ),
    );
  });
  answered.catch(() => undefined);
  return answered;
}

async function feed(
  child: TrainerProcess,
  request: HistoryRequest,
  { journal }: TrainerOptions,
  stop: AbortSignal,
): Promise<void> {
  await send(child, { kind: 'begin', request });
  const newest = journal.position;
  const sent = new Set<string>();
  const types = new Set<string>();
  // What came before cannot have rows of a later time.
  let at = Number.isFinite(request.sinceMs) ? await journal.positionBefore(request.sinceMs) : 0;
  while (at < newest && !stop.aborted) {
    const slice = await journal.encoded(at, newest, sliceBytes);
    at = slice.through;
    const blocks = slice.blocks.filter(({ schemaId }) => {
      const type = journal.described(schemaId)?.schema.type;
      if (type !== undefined) types.add(type);
      return type === request.type;
    });
    if (blocks.length === 0) continue;
    const fresh = new Set(blocks.map(({ schemaId }) => schemaId).filter(id => !sent.has(id)));
    for (const id of fresh) sent.add(id);
    const schemas = [...fresh].map(id => describedToJson(journal.described(id)!));
    await send(child, { kind: 'blocks', schemas, blocks });
  }
  if (!stop.aborted && !types.has(request.type)) throw unknownType(request, [...types]);
  if (!stop.aborted) await send(child, { kind: 'end' });
}

/**
 * Resolves once the pipe has taken it: what waits in memory is one slice. Never, if the pipe broke: the process has
 * ended then, and how says more.
 */
function send(child: TrainerProcess, message: ToTrainer): Promise<void> {
  return new Promise(resolve => {
    child.send(message, error => {
      if (!error) resolve();
    });
  });
}

async function lateError(late: Promise<void>, maxMs: number): Promise<never> {
  await late;
  throw failure(
    `It took longer than ${Math.round(maxMs / 6000) / 10} min and was ended. Lower training.maxRows or the hours, or raise training.maxMinutes.`,
  );
}

function stopError(stop: AbortSignal, over: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const end = () => reject(new EdgewardError('EW_STOPPED', 'The collector stops; train again later.'));
    if (stop.aborted) return end();
    stop.addEventListener('abort', end, { once: true, signal: over });
  });
}

function unknownType({ type, sinceMs }: HistoryRequest, types: readonly string[]): EdgewardError {
  const since = Number.isFinite(sinceMs) ? ` since ${new Date(sinceMs).toISOString()}` : '';
  return new EdgewardError('EW_TRAIN_INPUT', unknownTypeText(type, types, since));
}

/** @param types  that there are */
export function unknownTypeText(type: string, types: Iterable<string>, since = ''): string {
  const others = [...types].slice(0, 20).join(', ') || 'no device type at all';
  return `Of ${type} the journal has no rows${since}; it has rows of ${others}. Name one of these, or look further back.`;
}

function failure(detail: string): EdgewardError {
  return new EdgewardError('EW_TRAIN_FAILED', detail);
}
