/**
 * What is usual, in a file of dataDir: a restart goes on. Another release, or damage, learns anew. It is packed in parts,
 * each with its length before it, so that nobody waits for all of a large fleet.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { packState, unpackState } from '@edgeward/models/scorer-state';
import { messageOf } from '@edgeward/shared/errors';
import { isAbsent, writeFileAtomic } from '@edgeward/shared/files';
import type { Logger } from '@edgeward/shared/log';
import { freeIn } from '../read.js';
import { AwayHabits } from '../rules/away-habits.js';
import { PastJudge } from './past-judge.js';

const devicesAtOnce = 200;
/** No type of a pipeline device has this name. */
const habitsType = 'away-habits';

export interface Past {
  readonly judge: PastJudge;
  readonly habits: AwayHabits;
}

export async function readPast(file: string, nowMs: number, log: Logger): Promise<Past> {
  const past = { judge: new PastJudge(), habits: new AwayHabits() };
  try {
    for (const part of partsOf(await readFile(file))) {
      const memories = unpackState(part);
      past.judge.load(memories, nowMs);
      for (const { type, devices } of memories) if (type === habitsType) past.habits.load(devices);
    }
    return past;
  } catch (error) {
    if (!isAbsent(error))
      log.warn({ file, reason: messageOf(error) }, 'what is usual of the pipeline is learned anew');
    return { judge: new PastJudge(), habits: new AwayHabits() };
  }
}

/**
 * Never throws: without it the next start only learns anew.
 * @param minFreeBytes  with less on its disk nothing is written: others need that more
 */
export async function writePast(
  file: string,
  { judge, habits }: Past,
  nowMs: number,
  log: Logger,
  minFreeBytes = 0,
): Promise<void> {
  try {
    const freeBytes = await freeIn(path.dirname(file));
    if (freeBytes !== undefined && freeBytes < minFreeBytes) {
      log.warn(
        { file, freeBytes, minFreeBytes },
        'what is usual of the pipeline is not saved: too little room',
      );
      return;
    }
    const parts: Uint8Array[] = [];
    const away = { type: habitsType, revision: '1', devices: habits.save(nowMs) };
    for (const memory of [away, ...judge.save(devicesAtOnce)]) {
      const part = packState([memory]);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(part.length);
      parts.push(length, part);
      await turn();
    }
    await writeFileAtomic(file, Buffer.concat(parts));
  } catch (error) {
    log.warn({ file, reason: messageOf(error) }, 'what is usual of the pipeline could not be saved');
  }
}

/** @throws RangeError where it ends too early */
function* partsOf(all: Buffer): Generator<Uint8Array> {
  for (let at = 0; at < all.length; ) {
    const end = at + 4 + all.readUInt32LE(at);
    if (end > all.length) throw new RangeError('it ends too early');
    yield all.subarray(at + 4, end);
    at = end;
  }
}
