/**
 * Who may speak under a gateway's name. An outbox is one gateway's memory: its id never changes, and the start
 * counter in its epochs only rises. So of two that use one name, the one with the higher counter of the same outbox
 * is the newer process; any other pair is a copy or a stranger, and must not mix its rows with the known one's.
 */
import { namePattern } from '@edgeward/shared/topics';
import { epochPattern } from '@edgeward/shared/wire';
import { z } from 'zod';

export interface Identity {
  readonly outbox: string;
  /** `<start counter>-<64 random bits>` */
  readonly epoch: string;
}

export type Verdict =
  | { readonly ok: true /** The outbox that spoke under this name until now. */; readonly tookOver?: string }
  | { readonly ok: false; readonly reason: string };

interface Known extends Identity {
  heardMs: number;
}

const savedSchema = z.record(
  z.string().regex(namePattern),
  z.object({ outbox: z.string().max(64), epoch: z.string().regex(epochPattern) }),
);
export type SavedIdentities = z.output<typeof savedSchema>;

/** Pure: the caller brings the time, always of one clock. */
export class Identities {
  readonly #known = new Map<string, Known>();
  readonly #takeoverAfterMs: number;

  /**
   * @param takeoverAfterMs  how long a gateway must have been silent before another outbox may have its name: a new
   *                         SD card needs no command, a copy beside the original never gets in
   * @param saved            of `toJSON`. All in it count as heard just now: while the collector was away nobody could be
   * @throws                 ZodError for anything that `toJSON` would not write
   */
  constructor(takeoverAfterMs: number, saved: unknown = {}, nowMs = 0) {
    this.#takeoverAfterMs = takeoverAfterMs;
    for (const [gateway, identity] of Object.entries(savedSchema.parse(saved)))
      this.#known.set(gateway, { ...identity, heardMs: nowMs });
  }

  get(gateway: string): Identity | undefined {
    return this.#known.get(gateway);
  }

  /**
   * Decides, and remembers whom it let in.
   * @param identity   undefined: a simple publisher, which has no outbox
   * @param connected  true while the known one is connected; without a broker of our own nobody knows
   */
  judge(gateway: string, identity: Identity | undefined, nowMs: number, connected = false): Verdict {
    const known = this.#known.get(gateway);
    if (!identity) return known ? refuse(`the name belongs to outbox ${known.outbox}`) : { ok: true };
    if (known?.outbox === identity.outbox) {
      const reason = staleness(known.epoch, identity.epoch);
      if (reason) return refuse(reason);
    } else if (known) {
      const leftMs = connected ? this.#takeoverAfterMs : this.#untilFreeMs(known, nowMs);
      if (leftMs > 0) return refuse(strangeness(known, identity, connected, leftMs));
    }
    this.#known.set(gateway, { ...identity, heardMs: nowMs });
    return known && known.outbox !== identity.outbox ? { ok: true, tookOver: known.outbox } : { ok: true };
  }

  /** The known one said something, or was connected until now. */
  heard(gateway: string, nowMs: number): void {
    const known = this.#known.get(gateway);
    if (known) known.heardMs = nowMs;
  }

  /** The next to come may be anybody: for a gateway that was taken out of service. */
  forget(gateway: string): void {
    this.#known.delete(gateway);
  }

  toJSON(): SavedIdentities {
    return Object.fromEntries(
      [...this.#known].map(([gateway, { outbox, epoch }]) => [gateway, { outbox, epoch }]),
    );
  }

  #untilFreeMs(known: Known, nowMs: number): number {
    // A clock that was set back must not lock a name up for as long as the jump was.
    known.heardMs = Math.min(known.heardMs, nowMs);
    return known.heardMs + this.#takeoverAfterMs - nowMs;
  }
}

function refuse(reason: string): Verdict {
  return { ok: false, reason };
}

/** Why `epoch` is no later start of the outbox whose newest known one is `known`; undefined if it is, or the same. */
function staleness(known: string, epoch: string): string | undefined {
  if (epoch === known) return undefined;
  const [had, has] = [startOf(known), startOf(epoch)];
  if (has > had) return undefined;
  return has === had
    ? `a second process runs on a copy of its outbox: both are start ${has}`
    : `it runs on an old copy of its outbox: start ${has}, but start ${had} was here`;
}

function strangeness(known: Known, identity: Identity, connected: boolean, leftMs: number): string {
  const state = connected
    ? 'is connected'
    : `was heard a short while ago; wait ${Math.ceil(leftMs / 1000)} s`;
  return `outbox ${identity.outbox} uses a name that belongs to outbox ${known.outbox}, which ${state}`;
}

function startOf(epoch: string): number {
  return Number(epoch.slice(0, epoch.indexOf('-')));
}
