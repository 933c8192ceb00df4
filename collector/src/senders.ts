/** Whose blocks are taken: of the outbox a gateway's name belongs to, and of no copy of it. */
import { getOrMake } from '@edgeward/shared/maps';
import type { Identities, Identity } from './identity.js';
import { startOf } from './journal/received.js';
import type { GatewayState } from './messages.js';

/** `unknown`: it has not said yet who it is. */
export type Standing = { readonly outbox: string } | { readonly refused: string } | 'unknown';

/** Epochs of a gateway that are remembered by their start. */
const maxStarts = 1000;

export class Senders {
  readonly #identities: Identities;
  readonly #now: () => number;
  /** Epoch by start counter: two epochs of one start are of an outbox and its copy. */
  readonly #epochs = new Map<string, { outbox: string; byStart: Map<number, string> }>();
  /** The last epoch that was found to be in order, and whose it was by then: mostly the next block's. */
  readonly #last = new Map<
    string,
    { readonly known: Identity; readonly epoch: string; readonly standing: Standing }
  >();

  /** @param now  of the clock that `identities` goes by */
  constructor(identities: Identities, now: () => number) {
    this.#identities = identities;
    this.#now = now;
  }

  /** A gateway says who it is. @returns why it is not that, or whose name it took */
  introduce(gateway: string, { outbox, epoch }: GatewayState): { refused?: string; tookOver?: string } {
    const verdict = this.#identities.judge(gateway, { outbox, epoch }, this.#now());
    if (!verdict.ok) return { refused: verdict.reason };
    this.#note(gateway, outbox, epoch);
    return verdict.tookOver === undefined ? {} : { tookOver: verdict.tookOver };
  }

  /** Whether a last will is the known one's. */
  knows(gateway: string, { outbox, epoch }: GatewayState): boolean {
    const known = this.#identities.get(gateway);
    return known?.outbox === outbox && startOf(epoch) <= startOf(known.epoch);
  }

  /** Whose block this is, by its epoch: blocks of earlier starts may come late, of later ones never first. */
  standingOf(gateway: string, epoch: string): Standing {
    const known = this.#identities.get(gateway);
    const last = this.#last.get(gateway);
    if (last && last.known === known && last.epoch === epoch) {
      this.#identities.heard(gateway, this.#now());
      return last.standing;
    }
    if (!known || startOf(epoch) > startOf(known.epoch)) return 'unknown';
    this.#note(gateway, known.outbox, known.epoch);
    const seen = this.#note(gateway, known.outbox, epoch);
    if (seen !== epoch)
      return { refused: `a second process runs on a copy of its outbox: both are start ${startOf(epoch)}` };
    this.#identities.heard(gateway, this.#now());
    const standing = { outbox: known.outbox };
    this.#last.set(gateway, { known, epoch, standing });
    return standing;
  }

  /** The first epoch seen of that start. */
  #note(gateway: string, outbox: string, epoch: string): string {
    const known = this.#epochs.get(gateway);
    const own = known?.outbox === outbox ? known : { outbox, byStart: new Map<number, string>() };
    this.#epochs.set(gateway, own);
    const first = getOrMake(own.byStart, startOf(epoch), () => epoch);
    const [oldest] = own.byStart.keys();
    if (own.byStart.size > maxStarts && oldest !== undefined) own.byStart.delete(oldest);
    return first;
  }
}
