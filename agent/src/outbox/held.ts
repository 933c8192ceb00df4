import type { DeviceRows } from '@edgeward/shared/batch';
import type { Described } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';
import { RangeSet } from '@edgeward/shared/ranges';

/** One durable block of the outbox. Its bytes are in the store. */
export interface HeldBlock {
  readonly described: Described;
  readonly epoch: string;
  readonly counter: number;
  readonly seq: number;
  readonly size: number;
  readonly devices: readonly DeviceRows[];
  readonly atMs: number;
  /** Handed to the uplink at least once: from then on only a receipt may end its life. */
  sent: boolean;
  journaled: boolean;
}

/** An epoch's blocks in seq order: they are only ever appended in that order. */
interface HeldEpoch {
  readonly counter: number;
  readonly blocks: Map<number, HeldBlock>;
}

/** The index of what the outbox holds. Metadata only; a few hundred bytes a block. */
export class HeldBlocks {
  readonly #epochs = new Map<string, HeldEpoch>();
  #bytes = 0;
  #count = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get count(): number {
    return this.#count;
  }

  add(block: HeldBlock): void {
    const held = getOrMake(this.#epochs, block.epoch, () => ({ counter: block.counter, blocks: new Map() }));
    held.blocks.set(block.seq, block);
    this.#bytes += block.size;
    this.#count += 1;
  }

  remove(block: HeldBlock): void {
    const held = this.#epochs.get(block.epoch);
    if (!held?.blocks.delete(block.seq)) return;
    if (held.blocks.size === 0) this.#epochs.delete(block.epoch);
    this.#bytes -= block.size;
    this.#count -= 1;
  }

  /** The held blocks of that range, however wide the range is. */
  within(epoch: string, from: number, through: number): HeldBlock[] {
    const held = this.#epochs.get(epoch);
    if (!held) return [];
    const found: HeldBlock[] = [];
    if (through - from < held.blocks.size) {
      for (let seq = from; seq <= through; seq++) {
        const block = held.blocks.get(seq);
        if (block) found.push(block);
      }
    } else {
      for (const block of held.blocks.values())
        if (block.seq >= from && block.seq <= through) found.push(block);
    }
    return found;
  }

  /** Oldest first: earlier starts before later ones, seq order within each. */
  *inOrder(): Generator<HeldBlock> {
    const epochs = [...this.#epochs.values()].sort((a, b) => a.counter - b.counter);
    for (const { blocks } of epochs) yield* blocks.values();
  }

  oldest(): HeldBlock | undefined {
    return this.inOrder().next().value ?? undefined;
  }

  /** The oldest block that no collector can have seen: the only kind that may be given up. */
  oldestNeverSent(): HeldBlock | undefined {
    for (const block of this.inOrder()) if (!block.sent) return block;
    return undefined;
  }

  get(epoch: string, seq: number): HeldBlock | undefined {
    return this.#epochs.get(epoch)?.blocks.get(seq);
  }

  has(block: HeldBlock): boolean {
    return this.get(block.epoch, block.seq) === block;
  }

  /** Lowest seq held of that epoch; undefined = none. */
  firstSeq(epoch: string): number | undefined {
    return this.#epochs.get(epoch)?.blocks.keys().next().value;
  }
}

/** Row numbers of blocks, per device and epoch. */
export function rowsOf(blocks: Iterable<HeldBlock>): Map<string, Map<string, RangeSet>> {
  const byDevice = new Map<string, Map<string, RangeSet>>();
  for (const block of blocks) {
    for (const { device, first, last } of block.devices) {
      const epochs = getOrMake(byDevice, device, () => new Map<string, RangeSet>());
      getOrMake(epochs, block.epoch, () => new RangeSet()).add(first, last);
    }
  }
  return byDevice;
}
