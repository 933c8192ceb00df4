/** Whether an agent sends the rows of a device in the order they were read in. */
import type { Entry, Receipt } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';
import { RangeSet } from '@edgeward/shared/ranges';
import { readHeader } from '@edgeward/shared/wire';
import type { Oracle } from './protocol-oracle.js';

/**
 * Within one link, each lane has the rows of a device in the order they were read in. A block may go again, after a
 * failed write or to ask whether it is released; and once another journal is met, what the former one had comes
 * behind what was sent already.
 */
export class SendOrder {
  readonly #gateway: string;
  readonly #oracle: Oracle;
  readonly #lanes = new Map<string, readonly [counter: number, row: number]>();
  readonly #sentOnce = new Set<string>();
  /** What it was told is journaled, by epoch. */
  readonly #received = new Map<string, RangeSet>();
  /** The link on which it has met another journal. */
  #mixedLink = '';

  constructor(gateway: string, oracle: Oracle) {
    this.#gateway = gateway;
    this.#oracle = oracle;
  }

  received({ epoch, from, through }: Receipt): void {
    getOrMake(this.#received, epoch, () => new RangeSet()).add(from, through);
  }

  mixed(link: string): void {
    this.#mixedLink = link;
  }

  sent({ epoch, seq, lane, bytes, described }: Entry, link: string): void {
    const id = `${link} ${epoch}/${seq}`;
    const isAgain = this.#sentOnce.has(id) || this.#received.get(epoch)?.has(seq);
    if (isAgain || this.#mixedLink === link) return;
    this.#sentOnce.add(id);
    const counter = Number.parseInt(epoch, 10);
    for (const { index, first } of readHeader(bytes).devices) {
      const device = described.schema.devices[index]!;
      const key = `${link} ${lane} ${device}`;
      const [lastCounter, lastRow] = this.#lanes.get(key) ?? [0, 0];
      if (counter < lastCounter || (counter === lastCounter && first <= lastRow))
        this.#oracle.say(
          `${this.#gateway}: ${lane} lane sent row ${first} of ${device} in ${counter}/${seq} behind row ${lastRow} of start ${lastCounter}`,
        );
      this.#lanes.set(key, [counter, first]);
    }
  }
}
