import { createHash } from 'node:crypto';
import type { AgentEvent, AgentReport, Clock } from '@edgeward/shared/contracts';
import { hasCode, messageOf } from '@edgeward/shared/errors';
import { Gate } from '@edgeward/shared/gate';
import type { Logger } from '@edgeward/shared/log';
import { getOrMake } from '@edgeward/shared/maps';
import { encodeReceipts, receiptsOf } from '@edgeward/shared/receipts';
import { type TopicKind, topicOf } from '@edgeward/shared/topics';
import { decodeBlock, parseDescribed } from '@edgeward/shared/wire';
import type { Gateways } from './gateways.js';
import type { Incoming, Journal } from './journal/journal.js';
import { parseEvent, parseReport, parseState } from './messages.js';

export interface Message {
  readonly gateway: string;
  readonly kind: TopicKind;
  readonly payload: Uint8Array;
}

export interface IngestOptions {
  readonly journal: Journal;
  readonly gateways: Gateways;
  readonly publish: (topic: string, payload: string) => Promise<void>;
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
  deadLetters: number;
  bytes: number;
}

const maxGroupBytes = 8 * 1024 * 1024;
const retryMs = 1000;
/** What a waiting message costs besides its payload, so that empty ones do not wait without limit. */
const messageBytes = 512;

/**
 * Takes what gateways publish, stores it in groups, and sends receipts for what was stored. It remembers nothing
 * that it would need: after a crash the agents send again, and the journal knows what it has.
 */
export class Ingest {
  readonly counts: IngestCounts = { blocks: 0, rows: 0, duplicates: 0, deadLetters: 0, bytes: 0 };
  readonly #options: IngestOptions;
  readonly #changed = new Gate();
  #queue: Message[] = [];
  #queuedBytes = 0;
  #failing = false;

  constructor(options: IngestOptions) {
    this.#options = options;
  }

  get healthy(): boolean {
    return !this.#failing;
  }

  /** The back-pressure: resolves once there is room. */
  async room(signal: AbortSignal): Promise<void> {
    while (this.#queuedBytes >= this.#options.maxQueueBytes && !signal.aborted)
      await this.#changed.wait(signal);
  }

  /** Only enqueues: the broker must never wait inside its own delivery. */
  offer(message: Message): void {
    this.#queue.push(message);
    this.#queuedBytes += costOf(message);
    this.#changed.open();
  }

  /** Ends on stop, after what was queued. */
  async run(stop: AbortSignal): Promise<void> {
    for (;;) {
      while (this.#queue.length === 0) {
        if (stop.aborted) return;
        await this.#changed.wait(stop);
      }
      await this.#storeGroup(this.#takeGroup(), stop);
    }
  }

  #takeGroup(): Message[] {
    let bytes = 0;
    let n = 0;
    while (n < this.#queue.length && bytes < maxGroupBytes) bytes += costOf(this.#queue[n++]!);
    return this.#queue.splice(0, n);
  }

  /** Nothing else is taken until this group is down: a disk that is full stops intake, and agents keep the data. */
  async #storeGroup(group: Message[], stop: AbortSignal): Promise<void> {
    const blocks = await this.#decode(group);
    while (!(await this.#tryStore(blocks))) {
      if (stop.aborted) return;
      await this.#options.clock.sleep(retryMs, stop);
      await this.#options.journal.recover();
    }
    for (const message of group) if (message.kind !== 'block') await this.#note(message);
    this.#queuedBytes -= group.reduce((sum, message) => sum + costOf(message), 0);
    this.#changed.open();
  }

  async #tryStore(blocks: readonly Incoming[]): Promise<boolean> {
    try {
      const stored = await this.#options.journal.append(blocks);
      if (this.#failing) this.#options.log.info('journal can be written again');
      this.#failing = false;
      this.counts.blocks += stored.length;
      this.counts.duplicates += blocks.length - stored.length;
      for (const { batch } of stored) this.counts.rows += batch.time.length;
      this.#options.gateways.stored(stored);
    } catch (error) {
      if (!this.#failing)
        this.#options.log.error({ error: messageOf(error) }, 'journal cannot be written; trying again');
      this.#failing = true;
      return false;
    }
    await this.#sendReceipts(blocks);
    return true;
  }

  /** For stored and for doubled blocks alike: both are in the journal. */
  async #sendReceipts(blocks: readonly Incoming[]): Promise<void> {
    const byEpoch = new Map<string, { gateway: string; epoch: string; seqs: number[] }>();
    for (const { gateway, header } of blocks) {
      const { epoch, seq } = header;
      getOrMake(byEpoch, `${gateway}/${epoch}`, () => ({ gateway, epoch, seqs: [] as number[] })).seqs.push(
        seq,
      );
    }
    for (const { gateway, epoch, seqs } of byEpoch.values()) {
      const receipts = receiptsOf(epoch, seqs, 'released');
      await this.#options
        .publish(topicOf(gateway, 'receipt'), encodeReceipts(receipts))
        .catch((error: unknown) => {
          // The agent sends again and gets another receipt.
          this.#options.log.warn({ gateway, error: messageOf(error) }, 'receipt could not be sent');
        });
    }
  }

  async #decode(messages: readonly Message[]): Promise<Incoming[]> {
    const { clock, lateAfterMs, journal } = this.#options;
    const blocks: Incoming[] = [];
    for (const { gateway, kind, payload } of messages) {
      if (kind === 'state') this.#learn(payload);
      if (kind !== 'block') continue;
      this.counts.bytes += payload.length;
      try {
        const { header, batch } = decodeBlock(payload, id => journal.described(id));
        const ingestedMs = clock.now();
        const newest = batch.time.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
        blocks.push({
          gateway,
          bytes: payload,
          header,
          batch,
          ingestedMs,
          late: ingestedMs - newest > lateAfterMs,
        });
      } catch (error) {
        if (hasCode(error, 'EW_SCHEMA_UNKNOWN')) await this.#ask(gateway, error);
        else await this.#deadLetter(gateway, payload, messageOf(error));
      }
    }
    return blocks;
  }

  /** Before the blocks behind it: they may need what it tells. */
  #learn(payload: Uint8Array): void {
    const schemas = (parseState(payload)?.schemas ?? []).flatMap(json => parseDescribed(json) ?? []);
    this.#options.journal.learn(schemas);
  }

  /** No dead letter: without a receipt it comes again, after its schema. */
  async #ask(gateway: string, why: Error): Promise<void> {
    const { publish, log } = this.#options;
    log.warn({ gateway, why: why.message }, 'asked the gateway for its schemas');
    await publish(topicOf(gateway, 'desired'), JSON.stringify({ ask: 'state' })).catch(() => undefined);
  }

  async #deadLetter(gateway: string, bytes: Uint8Array, reason: string): Promise<void> {
    const { journal, clock, log } = this.#options;
    const id = createHash('sha256').update(bytes).digest('hex').slice(0, 32);
    this.counts.deadLetters += 1;
    log.error(
      { gateway, bytes: bytes.length, reason, id },
      'a block was not understood; kept as dead letter',
    );
    await journal.addDeadLetter(id, { gateway, reason, atMs: clock.now(), bytes }).catch((error: unknown) => {
      log.error({ gateway, id, error: messageOf(error) }, 'dead letter could not be kept');
    });
  }

  async #note({ gateway, kind, payload }: Message): Promise<void> {
    const { gateways, log } = this.#options;
    if (kind === 'state') {
      const state = parseState(payload);
      if (state) gateways.state(gateway, state);
    } else if (kind === 'reported') {
      const report = parseReport(payload, gateway);
      if (report) await this.#noteReport(report);
      else log.warn({ gateway }, 'ignored a report that is not understood');
    } else if (kind === 'events') {
      const event = parseEvent(payload, gateway);
      if (event) await this.#noteEvent(event);
      else log.warn({ gateway }, 'ignored an event that is not understood');
    }
  }

  async #noteReport(report: AgentReport): Promise<void> {
    this.#options.gateways.report(report);
    await this.#options.journal.setReport(report).catch(() => undefined);
  }

  async #noteEvent(event: AgentEvent): Promise<void> {
    this.#options.gateways.event(event);
    await this.#options.journal.addEvent(event).catch(() => undefined);
  }
}

function costOf({ payload }: Message): number {
  return payload.length + messageBytes;
}
