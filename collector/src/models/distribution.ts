/**
 * Tells gateways which models they should run, and hands them the files piece by piece. It remembers nothing of them:
 * whoever was cut off asks on from what it has.
 */
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import { type Assignment, encodeAnnouncement, modelLimits } from '@edgeward/shared/models/manifest';
import { encodePart, type PartAsk, parseAsk } from '@edgeward/shared/models/parts';
import { topicOf } from '@edgeward/shared/topics';
import type { Assigned, Assignments } from './assignments.js';
import type { ModelRegistry } from './registry.js';

export interface DistributionOptions {
  readonly registry: ModelRegistry;
  readonly assignments: Assignments;
  readonly publish: (topic: string, payload: string | Uint8Array, retain?: boolean) => Promise<void>;
  readonly log: Logger;
}

/** Gateways whose question waits; a further one asks again later. */
const maxWaiting = 10_000;
/** Pieces that are read and sent at a time. */
const maxAtOnce = 8;

export class Distribution {
  readonly #options: DistributionOptions;
  /** One question of each: a gateway asks one at a time. */
  readonly #waiting = new Map<string, Uint8Array>();
  /** Whom something was announced to: only they have to hear that there is nothing any more. */
  readonly #told = new Set<string>();
  /** Who could not be told: an external broker was away. */
  readonly #owed = new Set<string>();
  #atOnce = 0;

  constructor(options: DistributionOptions) {
    this.#options = options;
  }

  /** Kept by the broker for when the gateway comes back. */
  async announce(gateway: string): Promise<void> {
    const { assignments, publish, log } = this.#options;
    const wanted = inOrder(assignments.of(gateway)).flatMap(one => this.#wordsOf(one) ?? []);
    if (wanted.length === 0 && !this.#told.has(gateway)) return;
    this.#told.add(gateway);
    this.#owed.delete(gateway);
    await publish(topicOf(gateway, 'models'), encodeAnnouncement(wanted), true).catch((error: unknown) => {
      this.#owed.add(gateway);
      log.warn(
        { gateway, error: messageOf(error) },
        'models could not be announced; again when it next speaks',
      );
    });
  }

  /** To all who are known: the broker may have lost what was on its way, or what it kept. */
  async announceAll(gateways: readonly string[]): Promise<void> {
    for (const gateway of new Set([...gateways, ...this.#told])) await this.announce(gateway);
  }

  /** It has not been told what was last announced. */
  owes(gateway: string): boolean {
    return this.#owed.has(gateway);
  }

  /** Only notes it: the broker must never wait. */
  asked(gateway: string, payload: Uint8Array): void {
    if (this.#waiting.size >= maxWaiting && !this.#waiting.has(gateway)) return;
    this.#waiting.set(gateway, payload);
    if (this.#atOnce < maxAtOnce) void this.#work();
  }

  async #work(): Promise<void> {
    this.#atOnce += 1;
    try {
      for (const [gateway, payload] of this.#waiting) {
        this.#waiting.delete(gateway);
        await this.#answer(gateway, payload);
      }
    } finally {
      this.#atOnce -= 1;
    }
  }

  async #answer(gateway: string, payload: Uint8Array): Promise<void> {
    const { publish, log } = this.#options;
    const ask = parseAsk(payload);
    if (!ask) {
      log.warn({ gateway, bytes: payload.length }, 'ignored a question for a model that is not understood');
      return;
    }
    const { bundle, file, offset } = ask;
    const answer = await this.#read(gateway, ask).catch(asRefusal);
    const part = { bundle, file, offset, ...answer };
    await publish(topicOf(gateway, 'part'), encodePart(part)).catch((error: unknown) =>
      log.debug(
        { gateway, error: messageOf(error) },
        'a piece of a model was not sent; it is asked for again',
      ),
    );
  }

  async #read(gateway: string, { bundle, file, offset, bytes }: PartAsk): Promise<{ data: Uint8Array }> {
    const { registry, assignments } = this.#options;
    const isIts = assignments.of(gateway).some(one => one.bundle === bundle);
    const known = isIts ? registry.get(bundle)?.manifest.files.find(({ name }) => name === file) : undefined;
    if (!known || offset >= known.bytes)
      throw new EdgewardError('EW_MODEL_TRANSFER', 'It is not what this gateway should run.');
    return { data: await registry.read(bundle, file, offset, bytes) };
  }

  #wordsOf({ type, order, bundle, shadow }: Assigned): Assignment | undefined {
    if (bundle === null) return { type, order, manifest: null };
    const manifest = this.#options.registry.get(bundle)?.manifest;
    return manifest && { type, order, manifest, ...(shadow && { shadow }) };
  }
}

/** Which models there are goes before where there is none any more, if a gateway cannot take all of it. */
function inOrder(assigned: readonly Assigned[]): Assigned[] {
  const sorted = [...assigned].sort(
    (a, b) => Number(a.bundle === null) - Number(b.bundle === null) || b.atMs - a.atMs,
  );
  return sorted.slice(0, modelLimits.maxAssignments);
}

function asRefusal(error: unknown) {
  const code = 'EW_MODEL_TRANSFER' as const;
  const text = error instanceof EdgewardError ? error.message : 'The collector cannot read it.';
  return { data: new Uint8Array(0), error: { code, text: text.slice(0, 500) } };
}
