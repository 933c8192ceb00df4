/** Sorts what arrived into what the next commit stores and what is answered after it. */
import type { Clock } from '@edgeward/shared/contracts';
import { hasCode, messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import { textKey } from '@edgeward/shared/store';
import { type Block, type BlockHeader, decodeBlock, parseDescribed, readHeader } from '@edgeward/shared/wire';
import type { Identities } from './identity.js';
import type { Incoming, Journal, Poison } from './journal/journal.js';
import { put, type Write } from './journal/layout.js';
import { Limiter } from './limiter.js';
import { type GatewayState, parseState } from './messages.js';
import { Senders } from './senders.js';

export interface IntakeOptions {
  readonly journal: Journal;
  readonly identities: Identities;
  /** To a gateway's `desired`; never throws. */
  readonly desire: (gateway: string, message: Readonly<Record<string, unknown>>) => void;
  /** What a gateway has last reported as its site, for one that has not introduced itself since the start. */
  readonly siteOf?: (gateway: string) => string | undefined;
  /** Rows older than this on arrival raise no new alarm. */
  readonly lateAfterMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** One block that will be safe after the commit: its gateway may stop sending it. */
export interface Claim {
  readonly gateway: string;
  readonly epoch: string;
  readonly seq: number;
}

export class Group {
  readonly blocks: Incoming[] = [];
  readonly poison: Poison[] = [];
  readonly writes: Write[] = [];
  readonly claims: Claim[] = [];
  readonly states: { gateway: string; state: GatewayState }[] = [];
  /** To do once it is stored. */
  readonly after: (() => unknown)[] = [];
}

export interface IntakeCounts {
  deadLetters: number;
  refused: number;
}

/** A block whose header is whole, and whose columns nobody understands. */
interface Headed {
  readonly header: BlockHeader;
  readonly error: unknown;
}

interface Unreadable {
  readonly unreadable: string;
}

/** What came of bytes that should be a block. */
type Found = Block | Headed | Unreadable;

const askEveryMs = 1000;
const tellEveryMs = 60_000;

export class Intake {
  readonly counts: IntakeCounts = { deadLetters: 0, refused: 0 };
  readonly #options: IntakeOptions;
  readonly #senders: Senders;
  readonly #savedEpochs = new Map<string, string>();
  /** Of those that have introduced themselves. */
  readonly #sites = new Map<string, string | undefined>();
  readonly #asked: Limiter;
  readonly #told: Limiter;
  readonly #loggedPoison: Limiter;

  constructor(options: IntakeOptions) {
    const { identities, clock } = options;
    this.#options = options;
    this.#senders = new Senders(identities, () => clock.monotonic());
    this.#asked = new Limiter(askEveryMs, clock);
    this.#told = new Limiter(tellEveryMs, clock);
    this.#loggedPoison = new Limiter(tellEveryMs, clock);
  }

  /** Before the blocks behind it: they may need what it tells. */
  state(group: Group, gateway: string, payload: Uint8Array): void {
    const state = parseState(payload);
    if (!state) return;
    if (!state.online) {
      if (this.#senders.knows(gateway, state)) group.states.push({ gateway, state });
      return;
    }
    const { outbox, epoch } = state;
    const { refused, tookOver } = this.#senders.introduce(gateway, state);
    if (refused !== undefined) {
      this.#refuse(group, gateway, refused);
      return;
    }
    if (tookOver !== undefined)
      group.after.push(() => this.#tell(gateway, `Outbox ${outbox} took the name over from ${tookOver}.`));
    if (this.#savedEpochs.get(gateway) !== epoch)
      group.writes.push(put(textKey('i', gateway), { outbox, epoch }));
    this.#savedEpochs.set(gateway, epoch);
    group.states.push({ gateway, state });
    this.#sites.set(gateway, state.site);
    this.#options.journal.learn(state.schemas.flatMap(json => parseDescribed(json) ?? []));
  }

  block(group: Group, gateway: string, bytes: Uint8Array): void {
    const found = this.#read(bytes);
    if ('unreadable' in found) {
      this.#keep(group, gateway, bytes, found.unreadable, false);
      return;
    }
    const { epoch, seq } = found.header;
    const standing = this.#senders.standingOf(gateway, epoch);
    if (standing === 'unknown') this.#ask(gateway, 'it has not said who it is');
    else if ('refused' in standing) this.#refuse(group, gateway, standing.refused);
    else if (this.#take(group, gateway, standing.outbox, found, bytes))
      group.claims.push({ gateway, epoch, seq });
  }

  #read(bytes: Uint8Array): Found {
    try {
      return this.#decode(bytes);
    } catch (error) {
      return withoutColumns(bytes, error);
    }
  }

  /** @returns whether it is safe after the commit, as a block or as a dead letter: it would never be understood */
  #take(
    group: Group,
    gateway: string,
    outbox: string,
    found: Exclude<Found, Unreadable>,
    bytes: Uint8Array,
  ): boolean {
    if (!('error' in found)) {
      group.blocks.push(this.#incoming(gateway, outbox, bytes, found));
      return true;
    }
    const { header, error } = found;
    if (hasCode(error, 'EW_SCHEMA_UNKNOWN')) {
      this.#ask(gateway, error.message);
      return false;
    }
    const described = this.#options.journal.described(header.schemaId);
    group.poison.push({ gateway, outbox, header, described });
    this.#keep(group, gateway, bytes, messageOf(error), true);
    return true;
  }

  /** A dead letter, tried again. @throws as long as it is not understood, or whose it is not known */
  again(gateway: string, bytes: Uint8Array): Incoming {
    const { epoch } = readHeader(bytes);
    const known = this.#options.journal.received.get(gateway, epoch)?.outbox;
    const standing = this.#senders.standingOf(gateway, epoch);
    const outbox = known ?? (typeof standing === 'object' && 'outbox' in standing ? standing.outbox : '');
    return { ...this.#incoming(gateway, outbox, bytes, this.#decode(bytes)), again: true };
  }

  #decode(bytes: Uint8Array): Block {
    return decodeBlock(bytes, id => this.#options.journal.described(id));
  }

  #incoming(gateway: string, outbox: string, bytes: Uint8Array, { header, batch }: Block): Incoming {
    const { clock, lateAfterMs } = this.#options;
    const ingestedMs = clock.now();
    let newest = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < batch.time.length; i++) newest = Math.max(newest, batch.time[i]!);
    const late = ingestedMs - newest > lateAfterMs;
    const site = this.#siteOf(gateway);
    const incoming = { gateway, outbox, bytes, header, batch, ingestedMs, late };
    return site === undefined ? incoming : { ...incoming, site };
  }

  #siteOf(gateway: string): string | undefined {
    const { siteOf } = this.#options;
    return this.#sites.has(gateway) ? this.#sites.get(gateway) : siteOf?.(gateway);
  }

  /** No dead letter: without a receipt it comes again, after what is asked for. */
  #ask(gateway: string, why: string): void {
    if (!this.#asked.allows(gateway)) return;
    this.#options.log.warn({ gateway, why }, 'asked the gateway for its state');
    this.#options.desire(gateway, { ask: 'state' });
  }

  /** Neither stored nor receipted: the agent that it belongs to keeps it, and its operator is told. */
  #refuse(group: Group, gateway: string, reason: string): void {
    this.counts.refused += 1;
    if (!this.#told.allows(gateway)) return;
    this.#options.log.error({ gateway, reason }, 'a gateway is refused');
    this.#options.desire(gateway, { refused: reason.slice(0, 500) });
    group.after.push(() => this.#tell(gateway, `Refused: ${reason}.`));
  }

  #keep(group: Group, gateway: string, bytes: Uint8Array, why: string, rejected: boolean): void {
    const { journal, clock, log } = this.#options;
    const reason = why.slice(0, 500);
    this.counts.deadLetters += 1;
    if (this.#loggedPoison.allows(gateway))
      log.error(
        { gateway, bytes: bytes.length, reason, rejected },
        'a block was not understood: kept as dead letter',
      );
    const facts = { gateway, reason, atMs: clock.now(), rejected };
    group.writes.push(...journal.deadLetters.keep(bytes, facts));
  }

  #tell(gateway: string, text: string): Promise<void> {
    return this.#options.journal.tell('identity', text, {}, gateway);
  }
}

function withoutColumns(bytes: Uint8Array, error: unknown): Headed | Unreadable {
  try {
    return { header: readHeader(bytes), error };
  } catch (worse) {
    return { unreadable: messageOf(worse) };
  }
}
