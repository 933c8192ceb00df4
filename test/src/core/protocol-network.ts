/**
 * The way between agents and collector, as bad as MQTT lets it be: every link keeps the order of what goes over it,
 * and everything else may go wrong. It breaks, stalls, delivers late or twice, and old blocks come again.
 */
import type { Rng } from '@edgeward/shared/contracts';
import { parseTopic, type TopicKind } from '@edgeward/shared/topics';
import type { VirtualClock } from './protocol-time.js';

export interface NetworkTraits {
  /** Embedded: the broker dies with its collector. External: it goes on and drops what nobody takes. */
  readonly broker: 'embedded' | 'external';
  readonly maxDelayMs: number;
  /** Share of blocks that come twice, the second time any time later. */
  readonly duplicates: number;
  /** Share of receipts of a broken link that reach the next one all the same. */
  readonly stragglers: number;
}

export type Receiver = (gateway: string, kind: TopicKind, payload: Uint8Array) => void;

interface LinkEnds {
  readonly onMessage: (kind: TopicKind, payload: Uint8Array) => void;
  readonly onClosed: () => void;
  readonly will: Uint8Array;
}

export class NetworkLink {
  closed = false;
  stalledUntilMs = 0;
  /** What was under way when it broke still arrives if it was due by then. */
  arrivesUntilMs = Number.POSITIVE_INFINITY;
  upMs = 0;
  downMs = 0;

  constructor(
    readonly network: Network,
    readonly gateway: string,
    readonly ends: LinkEnds,
  ) {}

  send(kind: TopicKind, payload: string | Uint8Array): void {
    if (!this.closed) this.network.up(this, kind, Buffer.from(payload));
  }

  /** With a goodbye: what was sent arrives, and no last will is. */
  end(): void {
    this.closed = true;
  }

  cut(): void {
    if (!this.closed) this.network.break(this.gateway);
  }
}

const rememberedBlocks = 200;

export class Network {
  traits: NetworkTraits;
  /**
   * Gateways of which a block got lost behind an external broker, which dropped it while no collector was there, or
   * had given it to one that died: on the link, which is still up, later ones overtake it.
   */
  readonly dropped = new Set<string>();
  readonly #clock: VirtualClock;
  readonly #rng: Rng;
  readonly #links = new Map<string, NetworkLink>();
  readonly #retained = new Map<string, Buffer>();
  readonly #blocks: { gateway: string; payload: Buffer }[] = [];
  #receiver: Receiver | undefined;
  #partedUntilMs = 0;
  /** Journals that were lost: receipts of an earlier one do not outlive it. */
  #journals = 0;

  constructor(clock: VirtualClock, rng: Rng, traits: NetworkTraits) {
    this.#clock = clock;
    this.#rng = rng;
    this.traits = traits;
  }

  /** Undefined if there is no way to a broker now. */
  connect(gateway: string, ends: LinkEnds): NetworkLink | undefined {
    const isUp = this.#receiver !== undefined || this.traits.broker === 'external';
    if (!isUp || this.#clock.monotonic() < this.#partedUntilMs) return undefined;
    this.break(gateway);
    const link = new NetworkLink(this, gateway, ends);
    this.#links.set(gateway, link);
    return link;
  }

  attach(receiver: Receiver): void {
    this.#receiver = receiver;
    for (const [gateway, state] of this.#retained)
      this.#clock.timer(this.#delayMs(), () => this.#deliver(gateway, 'state', state));
  }

  /** @param lost  gateways of which the collector had taken blocks that are not on its disk */
  detach(lost: Iterable<string> = []): void {
    this.#receiver = undefined;
    if (this.traits.broker === 'external') {
      for (const gateway of lost) this.dropped.add(gateway);
      return;
    }
    for (const gateway of this.#links.keys()) this.break(gateway);
    this.#retained.clear();
  }

  journalLost(): void {
    this.#journals += 1;
  }

  break(gateway: string): void {
    const link = this.#links.get(gateway);
    if (!link || link.closed) return;
    link.closed = true;
    link.arrivesUntilMs = this.#clock.monotonic() + (this.#rng() < 0.5 ? 0 : this.#delayMs());
    link.ends.onClosed();
    this.#clock.timer(this.#delayMs(), () => this.#state(gateway, Buffer.from(link.ends.will)));
  }

  stall(gateway: string, ms: number): void {
    const link = this.#links.get(gateway);
    if (link) link.stalledUntilMs = this.#clock.monotonic() + ms;
  }

  /** Nobody gets through for so long. */
  part(ms: number): void {
    this.#partedUntilMs = this.#clock.monotonic() + ms;
    for (const gateway of this.#links.keys()) this.break(gateway);
  }

  /** Old blocks come again. */
  replay(n: number): void {
    for (let i = 0; i < n && this.#blocks.length; i++) {
      const { gateway, payload } = this.#blocks[Math.floor(this.#rng() * this.#blocks.length)]!;
      this.#clock.timer(this.#delayMs(), () => this.#deliver(gateway, 'block', payload));
    }
  }

  heal(): void {
    this.traits = { ...this.traits, duplicates: 0, stragglers: 0 };
    this.#partedUntilMs = 0;
    for (const link of this.#links.values()) link.stalledUntilMs = 0;
  }

  up(link: NetworkLink, kind: TopicKind, payload: Buffer): void {
    const { gateway } = link;
    link.upMs = Math.max(link.upMs, this.#dueMs(link));
    const dueMs = link.upMs;
    this.#clock.timer(dueMs - this.#clock.monotonic(), () => {
      if (dueMs > link.arrivesUntilMs) return;
      if (kind === 'state') this.#state(gateway, payload);
      else this.#deliver(gateway, kind, payload);
    });
    if (kind !== 'block') return;
    this.#blocks.push({ gateway, payload });
    if (this.#blocks.length > rememberedBlocks) this.#blocks.shift();
    if (this.#rng() < this.traits.duplicates)
      this.#clock.timer(this.#rng() * 5000, () => this.#deliver(gateway, kind, payload));
  }

  publish(topic: string, text: string): void {
    const { gateway, kind } = parseTopic(topic)!;
    const link = this.#links.get(gateway);
    if (!link || link.closed) return;
    const payload = Buffer.from(text);
    const journals = this.#journals;
    link.downMs = Math.max(link.downMs, this.#dueMs(link));
    this.#clock.timer(link.downMs - this.#clock.monotonic(), () => {
      if (!link.closed) link.ends.onMessage(kind, payload);
      else if (kind === 'receipt' && this.#rng() < this.traits.stragglers && journals === this.#journals)
        this.#links.get(gateway)?.ends.onMessage(kind, payload);
    });
  }

  #state(gateway: string, payload: Buffer): void {
    this.#retained.set(gateway, payload);
    this.#deliver(gateway, 'state', payload);
  }

  #deliver(gateway: string, kind: TopicKind, payload: Buffer): void {
    if (!this.#receiver && kind === 'block' && this.traits.broker === 'external') this.dropped.add(gateway);
    this.#receiver?.(gateway, kind, payload);
  }

  #dueMs({ stalledUntilMs }: NetworkLink): number {
    return Math.max(this.#clock.monotonic() + this.#delayMs(), stalledUntilMs);
  }

  #delayMs(): number {
    return this.#rng() * this.traits.maxDelayMs;
  }
}
