/** Finds out which rows went with blocks that can no longer be read: all that is held and not found elsewhere. */
import type { DeviceRows } from '@edgeward/shared/batch';
import { getOrMake } from '@edgeward/shared/maps';
import { RangeSet } from '@edgeward/shared/ranges';
import type { Core } from './core.js';
import type { Epoch } from './epochs.js';
import { HeldRowSpans } from './held-rows.js';
import { chunkBlocks, readChunk } from './reader.js';

/** Call it with `core.exclusive` held, after reading chunks. */
export async function countLost(core: Core): Promise<void> {
  for (const epoch of [...core.lost.keys()]) {
    core.auditing = true;
    const found = await findRows(core, epoch).finally(() => {
      core.auditing = false;
    });
    const seqs = core.lost.get(epoch)!;
    core.lost.delete(epoch);
    tellLost(core, epoch.name, seqs, core.ledger.reconcile(epoch.counter, found));
    core.changed.open();
  }
}

/** Of every block that is not journaled. What is stored meanwhile by the writer is read too. */
async function findRows(core: Core, epoch: Epoch): Promise<Map<string, HeldRowSpans>> {
  const found = new Map<string, HeldRowSpans>();
  const read = new RangeSet();
  for (;;) {
    const left = epoch.stored.clone();
    left.removeAll(read);
    left.removeAll(epoch.journaled);
    const seqs = left.lowest(chunkBlocks);
    if (!seqs.length) break;
    const blocks = await readChunk(core, epoch, seqs);
    for (const { seq, devices } of blocks) {
      read.add(seq);
      addRows(found, devices);
    }
  }
  if (epoch === core.live) for (const { devices } of core.fresh.volatile()) addRows(found, devices);
  return found;
}

export function addRows(found: Map<string, HeldRowSpans>, devices: readonly DeviceRows[]): void {
  for (const { device, first, last, count } of devices)
    getOrMake(found, device, () => new HeldRowSpans()).add(first, last, count);
}

const maxTold = 20;

/** One event for each range of blocks, as far as that is few; the rows are those of all of them. */
export function tellLost(
  core: Pick<Core, 'options' | 'notice'>,
  epoch: string,
  seqs: RangeSet,
  rowsByDevice: ReadonlyMap<string, number>,
): void {
  const rows = [...rowsByDevice.values()].reduce((sum, n) => sum + n, 0);
  const devices = [...rowsByDevice].map(([device, n]) => `${device}: ${n}`).join(', ');
  core.options.log.error(
    { epoch, seqs: seqs.toJSON().slice(0, maxTold), rows },
    'outbox lost blocks to damage',
  );
  for (const [from, through] of seqs.toJSON().slice(0, maxTold))
    core.notice({
      kind: 'damage',
      text: `Blocks ${from} to ${through} of epoch ${epoch} were damaged on disk: ${rows} rows are lost${devices && ` (${devices})`}.`.slice(
        0,
        900,
      ),
      details: { epoch, from, through, rows, devices: devices.slice(0, 400) },
    });
}
