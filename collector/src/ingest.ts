import type { AgentEvent, Clock, Delivery, Receipt } from '@edgeward/shared/contracts';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import { Gate } from '@edgeward/shared/gate';
import type { Logger } from '@edgeward/shared/log';
import { getOrMake } from '@edgeward/shared/maps';
import { encodeReceipts, receiptsOf } from '@edgeward/shared/receipts';
import { type TopicKind, topicOf } from '@edgeward/shared/topics';
import { tracedWireVersion } from '@edgeward/shared/wire';
import { Crowd } from './crowd.js';
import type { Gateways } from './gateways.js';
import type { Identities } from './identity.js';
import { IngestDelays, Traffic } from './ingest-counts.js';
import { type Claim, Group, Intake } from './intake.js';
import type { Incoming, Journal } from './journal/journal.js';
import type { JsonIntake } from './json-intake.js';
import { Limiter } from './limiter.js';
import { parseEvent, parseReport } from './messages.js';
import type { Hops } from './pipeline/pulse.js';
import type { Releases } from './releases.js';
import { isOutdated } from './report.js';
import type { IngestSpans } from './trace/ingest-spans.js';

export interface Message {
  readonly gateway: string;
  readonly kind: TopicKind;
  readonly payload: Uint8Array;
}

export interface IngestOptions {
  readonly journal: Journal;
  readonly gateways: Gateways;
  readonly identities: Identities;
  readonly releases: Releases;
  readonly json?: JsonIntake;
  readonly publish: (topic: string, payload: string) => Promise<void>;
  /** A cheaper way for receipts, where there is one. @returns false if there is none now */
  readonly send?: (gateway: string, kind: TopicKind, payload: string) => boolean;
  /** Told of what is stored, while its columns are at hand. */
  readonly onStored?: (deliveries: readonly Delivery[]) => void;
  /** Only where blocks are traced: then gateways are told that they may send such. */
  readonly spans?: IngestSpans | undefined;
  /** Why nothing may be stored now: what is needed of the journal's room a sink has not stored yet. */
  readonly blocked?: () => string | null;
  /** Rows older than this on arrival raise no new alarm. */
  readonly lateAfterMs: number;
  /** Bytes that may wait, with what a message costs besides; above it the broker stops taking from its clients. */
  readonly maxQueueBytes: number;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface IngestCounts {
  blocks: number;
  rows: number;
  duplicates: number;
}

interface Queued extends Message {
  /** Somebody waits for it to be stored. */
  readonly settle?: (error?: Error) => void;
}

const maxGroupBytes = 8 * 1024 * 1024;
const retryMs = 1000;
/**
 * Blocks wait so long for each other where so many gateways spoke within a window: a commit costs as much as several
 * blocks. Those of a few gateways never wait.
 */
const crowdWindowMs = 100;
const lingers = [
  { gateways: 100, ms: 60 },
  { gateways: 8, ms: 20 },
] as const;
/** What a waiting message costs besides its payload, so that empty ones do not wait without limit. */
const messageBytes = 512;
/** Receipts in one message. */
const maxReceipts = 1000;
const logEveryMs = 60_000;

/**
 * Takes what gateways publish, stores it in groups, and sends receipts for what was stored. It remembers nothing
 * that it would need: after a crash the agents send again, and the journal knows what it has.
 */
export class Ingest {
  readonly #counts: IngestCounts = { blocks: 0, rows: 0, duplicates: 0 };
  readonly #options: IngestOptions;
  readonly #intake: Intake;
  readonly delays = new IngestDelays();
  readonly traffic = new Traffic();
  readonly #changed = new Gate();
  readonly #logged: Limiter;
  readonly #crowd = new Crowd(crowdWindowMs);
  #queue: Queued[] = [];
  #queuedBytes = 0;
  #failure: string | null = null;

  constructor(options: IngestOptions) {
    this.#options = options;
    this.#logged = new Limiter(logEveryMs, options.clock);
    const desire = (gateway: string, message: Readonly<Record<string, unknown>>) =>
      void this.#publish(gateway, 'desired', JSON.stringify(message));
    const siteOf = (gateway: string) => options.gateways.get(gateway)?.report?.site;
    this.#intake = new Intake({ ...options, desire, siteOf });
  }

  get counts() {
    return { ...this.#counts, ...this.#intake.counts };
  }

  /** What waits for the journal, with what a message costs besides. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Why nothing is taken now; null = all is well. */
  get failure(): string | null {
    return this.#failure;
  }

  /** The back-pressure: resolves once there is room; undefined = there is. */
  room(signal: AbortSignal): Promise<void> | undefined {
    return this.#queuedBytes < this.#options.maxQueueBytes ? undefined : this.#untilRoom(signal);
  }

  async #untilRoom(signal: AbortSignal): Promise<void> {
    while (this.#queuedBytes >= this.#options.maxQueueBytes && !signal.aborted)
      await this.#changed.wait(signal);
  }

  /** Only enqueues: the broker must never wait inside its own delivery. */
  offer(message: Queued): void {
    if (message.kind === 'block') this.#options.spans?.arrived(message.payload);
    this.#queue.push(message);
    // A dead letter that is tried again came long ago.
    if (message.kind !== 'block' || !message.settle)
      this.traffic.received(message.kind, message.payload.length);
    this.#queuedBytes += costOf(message);
    this.#changed.open();
  }

  /** A message of a simple publisher. Resolves once it is stored or answered; rejects if it must be sent again. */
  takeJson(gateway: string, payload: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error?: Error) => (error ? reject(error) : resolve());
      this.offer({ gateway, kind: 'json', payload, settle });
    });
  }

  /** Tries a dead letter again. @returns why it is still none; undefined = it is stored */
  async replay(id: string): Promise<string | undefined> {
    const { journal } = this.#options;
    const letter = journal.deadLetters.get(id);
    const bytes = await journal.deadLetters.bytesOf(id);
    if (!letter || !bytes) return 'There is no such dead letter.';
    return new Promise(resolve => {
      const settle = (error?: Error) => resolve(error && messageOf(error));
      this.offer({ gateway: letter.gateway, kind: 'block', payload: bytes, settle });
    });
  }

  /** Ends on stop, after what was queued; behind what could not be stored then, nothing is: agents send in order. */
  async run(stop: AbortSignal): Promise<void> {
    for (;;) {
      while (this.#queue.length === 0) {
        if (stop.aborted) return;
        await this.#changed.wait(stop);
      }
      const { size } = this.#crowd;
      const linger = lingers.find(({ gateways }) => size >= gateways);
      if (linger) await this.#options.clock.sleep(linger.ms, stop);
      const stored = await this.#storeGroup(this.#takeGroup(), stop);
      if (!stored) return this.#leave(this.#queue.splice(0), new EdgewardError('EW_STOPPED'));
    }
  }

  #takeGroup(): Queued[] {
    let bytes = 0;
    let n = 0;
    while (n < this.#queue.length && bytes < maxGroupBytes) bytes += costOf(this.#queue[n++]!);
    return this.#queue.splice(0, n);
  }

  /** Nothing else is taken until this group is down: a disk that is full stops intake, and agents keep the data. */
  async #storeGroup(messages: Queued[], stop: AbortSignal): Promise<boolean> {
    const group = this.#sort(messages);
    let stored = await this.#tryStore(group);
    while (!stored && !stop.aborted) {
      await this.#options.clock.sleep(retryMs, stop);
      stored = await this.#tryStore(group);
    }
    if (stored) await this.#answer(group, messages);
    this.#leave(messages, stored ? undefined : new EdgewardError('EW_STOPPED'));
    return stored;
  }

  /** @param error  why they are not stored */
  #leave(messages: readonly Queued[], error: Error | undefined): void {
    for (const { settle } of messages) settle?.(error);
    this.#queuedBytes -= messages.reduce((sum, message) => sum + costOf(message), 0);
    this.#changed.open();
  }

  #sort(messages: readonly Queued[]): Group {
    const group = new Group();
    const nowMs = this.#options.clock.monotonic();
    for (const { gateway, kind, payload, settle } of messages) {
      this.#crowd.note(gateway, nowMs);
      if (kind === 'state') this.#intake.state(group, gateway, payload);
      else if (kind === 'json') this.#options.json?.take(group, gateway, payload);
      else if (kind === 'block' && settle) this.#sortAgain(group, gateway, payload, settle);
      else if (kind === 'block') this.#intake.block(group, gateway, payload);
    }
    return group;
  }

  #sortAgain(group: Group, gateway: string, payload: Uint8Array, settle: (error?: Error) => void): void {
    try {
      const block = this.#intake.again(gateway, payload);
      group.blocks.push(block);
      group.after.push(() => this.#dropLetter(block));
    } catch (error) {
      settle(error instanceof Error ? error : new Error(messageOf(error)));
    }
  }

  /** Once the block is stored, now or before: a letter of an epoch that is closed stays one. */
  async #dropLetter({ gateway, header, bytes }: Incoming): Promise<void> {
    const { journal } = this.#options;
    const received = journal.received.get(gateway, header.epoch);
    if (!received?.seqs.has(header.seq) || received.rejectedSeqs.has(header.seq)) return;
    await journal.write(journal.deadLetters.dropBytes(bytes), true).catch(() => undefined);
  }

  async #tryStore({ blocks, poison, writes }: Group): Promise<boolean> {
    const { journal, gateways, releases, blocked, log } = this.#options;
    const reason = blocks.length > 0 ? (blocked?.() ?? null) : null;
    if (reason !== null) return this.#fail(reason);
    try {
      const stored = await journal.append(blocks, { poison, writes });
      if (this.#failure !== null) log.info('journal can be written again');
      this.#failure = null;
      this.#counts.blocks += stored.length;
      this.#counts.duplicates += blocks.length - stored.length;
      for (const { batch } of stored) this.#counts.rows += batch.time.length;
      const timed = (gateway: string, hops: Hops) => gateways.timed(gateway, hops);
      this.delays.note(blocks, stored, this.#options.clock.now(), timed);
      releases.journaled(stored);
      gateways.stored(stored);
      this.#options.onStored?.(stored);
      this.#options.spans?.stored(blocks, stored);
      return true;
    } catch (error) {
      this.#fail(`cannot be written: ${messageOf(error)}`);
      await journal.recover();
      return false;
    }
  }

  #fail(reason: string): false {
    if (this.#failure === null) this.#options.log.error({ reason }, 'nothing is taken; trying again');
    this.#failure = reason;
    return false;
  }

  async #answer(group: Group, messages: readonly Queued[]): Promise<void> {
    await this.#sendReceipts(group.claims);
    for (const { gateway, state } of group.states) {
      this.#options.gateways.state(gateway, state);
      if (state.online) await this.#greet(gateway, state.outbox);
    }
    for (const message of messages) if (message.kind !== 'block') await this.#note(message);
    for (const act of group.after) await act();
  }

  /** For stored and for doubled blocks alike: both are in the journal. */
  async #sendReceipts(claims: readonly Claim[]): Promise<void> {
    const { releases } = this.#options;
    const byGateway = new Map<string, Claim[]>();
    for (const claim of claims) {
      const own = byGateway.get(claim.gateway);
      if (own) own.push(claim);
      else byGateway.set(claim.gateway, [claim]);
    }
    for (const own of byGateway.values()) {
      const sent = this.#trySend(own[0]!.gateway, receiptsFor(own, releases));
      if (sent) await sent;
    }
  }

  async sendReceipts(gateway: string, receipts: readonly Receipt[]): Promise<void> {
    for (let at = 0; at < receipts.length; at += maxReceipts)
      await this.#trySend(gateway, receipts.slice(at, at + maxReceipts));
  }

  /** @returns undefined if it is done */
  #trySend(gateway: string, receipts: readonly Receipt[]): Promise<void> | undefined {
    if (receipts.length > maxReceipts) return this.sendReceipts(gateway, receipts);
    this.traffic.answered(receipts);
    const payload = encodeReceipts(receipts);
    if (this.#options.send?.(gateway, 'receipt', payload)) return undefined;
    return this.#publish(gateway, 'receipt', payload);
  }

  /** A new link may have missed receipts, and a new start wants to know the time and whose journal this is. */
  async #greet(gateway: string, outbox: string): Promise<void> {
    const { journal, clock, releases, spans } = this.#options;
    const hello = { journal: journal.id, timeMs: clock.now(), ...(spans && { wire: tracedWireVersion }) };
    await this.#publish(gateway, 'desired', JSON.stringify(hello));
    await this.sendReceipts(gateway, releases.standing(gateway, outbox));
  }

  /** The agent sends again and gets another answer. */
  async #publish(gateway: string, kind: TopicKind, payload: string): Promise<void> {
    const { publish, log } = this.#options;
    await publish(topicOf(gateway, kind), payload).catch((error: unknown) => {
      if (this.#logged.allows(gateway))
        log.warn({ gateway, kind, error: messageOf(error) }, 'could not be sent');
    });
  }

  async #note({ gateway, kind, payload }: Message): Promise<void> {
    if (kind === 'reported') await this.#noteReport(gateway, payload);
    else if (kind === 'events') {
      const event = parseEvent(payload, gateway);
      if (event) await this.#noteEvent(event);
      else if (this.#logged.allows(gateway))
        this.#options.log.warn({ gateway }, 'ignored an event that is not understood');
    }
  }

  async #noteReport(gateway: string, payload: Uint8Array): Promise<void> {
    const { gateways, journal, log } = this.#options;
    const known = gateways.get(gateway);
    const report = parseReport(payload, gateway, known?.state?.outbox);
    if (!report) {
      if (this.#logged.allows(gateway)) log.warn({ gateway }, 'ignored a report that is not understood');
      return;
    }
    if (isOutdated(report, known?.report)) return;
    gateways.report(report);
    await journal.setReport(report).catch(() => undefined);
  }

  async #noteEvent(told: AgentEvent): Promise<void> {
    const { gateways } = this.#options;
    const event = told.kind === 'gap' ? withNewestRow(told, gateways.get(told.gateway)?.lastRowMs) : told;
    gateways.event(event);
    await this.#options.journal.addEvent(event).catch(() => undefined);
  }
}

/**
 * An agent that writes little to its disk knows only roughly when it was killed; the collector has what it sent until
 * then. Events of a link come before its blocks.
 */
function withNewestRow(gap: AgentEvent, newestRowMs: number | null | undefined): AgentEvent {
  const { fromMs, toMs } = gap.details;
  if (typeof fromMs !== 'number' || typeof toMs !== 'number' || typeof newestRowMs !== 'number') return gap;
  if (newestRowMs <= fromMs || newestRowMs >= toMs) return gap;
  const text = `${gap.text} The newest row received from it by then is of ${new Date(newestRowMs).toISOString()}.`;
  return { ...gap, text, details: { ...gap.details, newestRowMs } };
}

/** One gateway's, neighbours as one. */
function receiptsFor(claims: readonly Claim[], releases: Releases): Receipt[] {
  const [first] = claims;
  const markOf = ({ gateway, epoch, seq }: Claim) => releases.markOf(gateway, epoch, seq);
  if (claims.length === 1 && first)
    return [{ epoch: first.epoch, from: first.seq, through: first.seq, mark: markOf(first) }];
  const marked = new Map<string, { epoch: string; mark: Receipt['mark']; seqs: number[] }>();
  for (const claim of claims) {
    const { epoch, seq } = claim;
    const mark = markOf(claim);
    getOrMake(marked, `${epoch} ${mark}`, () => ({ epoch, mark, seqs: [] })).seqs.push(seq);
  }
  return [...marked.values()].flatMap(({ epoch, mark, seqs }) => receiptsOf(epoch, seqs, mark));
}

function costOf({ payload }: Message): number {
  return payload.length + messageBytes;
}
