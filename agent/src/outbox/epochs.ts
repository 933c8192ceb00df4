/** What the outbox holds on disk, epoch by epoch, as ranges: no object per block, however long the outage. */
import { RangeSet } from '@edgeward/shared/ranges';

export class Epoch {
  /** On disk. */
  readonly stored = new RangeSet();
  /** Journaled by the collector and not released; on disk or in memory. */
  readonly journaled = new RangeSet();
  /** On disk and handed to an uplink at least once, or perhaps so by an earlier start: never thinned nor dropped. */
  readonly sent = new RangeSet();
  /** On disk, and marked there as perhaps sent, each for itself. */
  readonly flagged = new RangeSet();
  /** On disk with rows that a model or a rule flagged. */
  readonly anomalous = new RangeSet();
  /** On disk with times of a clock that is not known to be right. */
  readonly stamped = new RangeSet();
  /** On disk and to be offered by the backlog lane of the present walk. */
  readonly due = new RangeSet();
  /** Being written anew: not to be offered meanwhile. */
  readonly busy = new RangeSet();
  /** Deleted here, not yet on disk. */
  readonly gone = new RangeSet();
  /** Durable: up to this seq blocks may have been sent. */
  sentThrough = 0;
  /** Changed since it was saved. */
  dirty = false;
  /** Rows of it were found that its saved rows do not have. */
  rowsChanged = false;
  bytes = 0;
  blocks = 0;
  /** Of those, what is journaled: together they are right, of each only the mean is known. */
  #journaledBytes = 0;
  #journaledBlocks = 0;

  constructor(
    readonly counter: number,
    readonly name: string,
  ) {}

  store(seq: number, size: number): void {
    this.stored.add(seq);
    this.bytes += size;
    this.blocks += 1;
    this.dirty = true;
  }

  /** A stored block was written anew. */
  resize(bySize: number): void {
    this.bytes += bySize;
  }

  /** It stays until it is released, and is not offered again. */
  journal(seq: number, storedSize: number | undefined): void {
    this.journaled.add(seq);
    this.dirty = true;
    if (storedSize === undefined) return;
    this.due.remove(seq);
    this.#journaledBytes += storedSize;
    this.#journaledBlocks += 1;
  }

  /** It is held as if never journaled. */
  unjournal(seq: number, storedSize: number): void {
    this.journaled.remove(seq);
    this.bytes += storedSize - this.#takeJournaled();
    this.dirty = true;
  }

  /** @param size  of a block that is not journaled: others' are not kept so long, and their mean serves as well */
  delete(seq: number, size: number): void {
    if (!this.stored.has(seq)) return;
    this.bytes -= this.journaled.has(seq) ? this.#takeJournaled() : size;
    this.blocks -= 1;
    for (const set of [this.stored, this.journaled, this.sent, this.flagged, this.anomalous]) set.remove(seq);
    for (const set of [this.stamped, this.due]) set.remove(seq);
    this.gone.add(seq);
    this.dirty = true;
  }

  /** May be sent without another word to the disk. */
  maySend(seq: number): boolean {
    return seq <= this.sentThrough || this.flagged.has(seq);
  }

  #takeJournaled(): number {
    const size = this.#journaledBytes / Math.max(1, this.#journaledBlocks);
    this.#journaledBytes -= size;
    this.#journaledBlocks -= 1;
    return size;
  }
}

export class Epochs {
  readonly #byName = new Map<string, Epoch>();
  /** By start counter, rising. */
  readonly #inOrder: Epoch[] = [];

  add(epoch: Epoch): Epoch {
    this.#byName.set(epoch.name, epoch);
    this.#inOrder.push(epoch);
    this.#inOrder.sort((a, b) => a.counter - b.counter);
    return epoch;
  }

  get(name: string): Epoch | undefined {
    return this.#byName.get(name);
  }

  /** Oldest first. */
  all(): readonly Epoch[] {
    return this.#inOrder;
  }

  get bytes(): number {
    return Math.round(this.#inOrder.reduce((sum, { bytes }) => sum + bytes, 0));
  }

  get blocks(): number {
    return this.#inOrder.reduce((sum, { blocks }) => sum + blocks, 0);
  }

  /** The oldest that still has blocks on disk. */
  oldest(): Epoch | undefined {
    return this.#inOrder.find(({ stored }) => !stored.isEmpty);
  }

  /** Takes out what needs no details any more. */
  remove(epoch: Epoch): void {
    this.#byName.delete(epoch.name);
    this.#inOrder.splice(this.#inOrder.indexOf(epoch), 1);
  }
}
