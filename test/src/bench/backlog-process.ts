/**
 * One process on an outbox: `fill FOLDER BYTES ROWS` leaves a backlog of so many bytes, in blocks of so many rows whose
 * values no coding makes small; `start FOLDER` opens it and takes what is offered first; `drain FOLDER` takes and
 * releases all. Prints what that took, as JSON.
 */
import path from 'node:path';
import { LevelOutbox } from '@edgeward/agent/outbox/level-outbox';
import { systemClock } from '@edgeward/shared/clock';
import type { RecordBatch } from '@edgeward/shared/contracts';
import { silentLogger } from '@edgeward/shared/log';
import { seededRng } from '@edgeward/shared/rng';
import { TestBatches } from '@edgeward/shared/testing/batches';
import { type Resident, residentOf } from './process-usage.js';

export interface BacklogMeasured {
  readonly blocks: number;
  readonly bytes: number;
  /** From opening the folder until the first block was offered. */
  readonly firstMs: number;
  readonly cpuS: number;
  readonly maxRssBytes: number;
  /** The most of it that is the process's own, and the most that is files it has mapped; nobody looks all the time. */
  readonly most: Resident | undefined;
  /** At the end, with the outbox open. */
  readonly last: Resident | undefined;
}

const never = new AbortController().signal;
const [action = '', folder = '', bytes = '0', rows = '1'] = process.argv.slice(2);

let most: Resident | undefined;
setInterval(look, 50).unref();

const openedMs = performance.now();
await using outbox = await LevelOutbox.open({
  directory: path.join(folder, 'outbox'),
  gateway: 'gateway-1',
  maxBytes: 8e9,
  whenFull: 'block',
  clock: systemClock,
  log: silentLogger,
});
const { blocks, bytes: held } = outbox.report().outbox;
let firstMs = 0;
if (action === 'fill') await fill(Number(bytes), Number(rows));
else await take(action === 'drain');
const last = look();
const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
const measured: BacklogMeasured = {
  blocks,
  bytes: held,
  firstMs,
  cpuS: (userCPUTime + systemCPUTime) / 1e6,
  maxRssBytes: maxRSS * 1024,
  most,
  last,
};
console.log(JSON.stringify(measured));

function look(): Resident | undefined {
  const now = residentOf(process.pid);
  if (now)
    most = {
      anonBytes: Math.max(most?.anonBytes ?? 0, now.anonBytes),
      fileBytes: Math.max(most?.fileBytes ?? 0, now.fileBytes),
    };
  return now;
}

async function fill(target: number, rowsPerBlock: number): Promise<void> {
  const noise = noiseOf(rowsPerBlock);
  let durable: Promise<unknown> | undefined;
  while (outbox.report().outbox.bytes < target)
    for (let i = 0; i < 16; i++) ({ durable } = await outbox.append(noise(), { source: 'polled' }, never));
  await durable;
}

/** The same noise again and again; rows have numbers of their own. */
function noiseOf(rows: number): () => RecordBatch {
  const [batches, rng] = [new TestBatches(), seededRng(1)];
  const first = batches.next(rows, [0]);
  const values = first.values.map(column => Float64Array.from({ length: column.length }, () => rng()));
  let last = 0;
  return () => {
    const row = Float64Array.from({ length: rows }, (_, i) => last + i + 1);
    last += rows;
    return { ...first, row, values };
  };
}

async function take(all: boolean): Promise<void> {
  outbox.link(true);
  for await (const { epoch, seq } of outbox.entries(AbortSignal.abort())) {
    firstMs ||= performance.now() - openedMs;
    if (!all) return;
    await outbox.receive({ epoch, from: seq, through: seq, mark: 'released' });
  }
}
