/** Which gateways should run which bundle, and what they ran before. Kept in one small file that is replaced whole. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import { isAbsent, makeFolder, writeFileAtomic } from '@edgeward/shared/files';
import type { Logger } from '@edgeward/shared/log';
import { modelLimits, type ShadowPolicy, shadowPolicySchema } from '@edgeward/shared/models/manifest';
import { z } from 'zod';

const assignedSchema = z.object({
  type: z.string(),
  /** Null = all gateways but those with an assignment of their own. */
  gateway: z.string().nullable(),
  /** Null = what a gateway's own configuration names. */
  bundle: z.string().nullable(),
  order: z.string(),
  atMs: z.number(),
  /** Where a rollback leads; the last first. */
  former: z.array(z.string().nullable()),
  shadow: shadowPolicySchema.exactOptional(),
});
export type Assigned = z.output<typeof assignedSchema>;

/** What somebody wants. */
export interface Ordered {
  readonly type: string;
  readonly gateway: string | null;
  readonly bundle: string;
  readonly shadow?: ShadowPolicy | undefined;
}

const fileSchema = z.object({ format: z.literal(1), assigned: z.array(assignedSchema) });
const maxFormer = 10;

export class Assignments {
  readonly #file: string;
  readonly #clock: Clock;
  #assigned: readonly Assigned[];
  #last: Promise<unknown> = Promise.resolve();

  private constructor(file: string, clock: Clock, assigned: readonly Assigned[]) {
    this.#file = file;
    this.#clock = clock;
    this.#assigned = assigned;
  }

  /** A file that cannot be read is told; gateways then go on with what they have. */
  static async open(directory: string, clock: Clock, log: Logger): Promise<Assignments> {
    await makeFolder(directory);
    const file = path.join(directory, 'assignments.json');
    try {
      const { assigned } = fileSchema.parse(JSON.parse(await readFile(file, 'utf8')));
      return new Assignments(file, clock, assigned);
    } catch (error) {
      if (!isAbsent(error))
        log.error({ file, err: error }, 'who should run which model is lost: assign again');
      return new Assignments(file, clock, []);
    }
  }

  all(): readonly Assigned[] {
    return this.#assigned;
  }

  /** One for each device type: its own before the general one. */
  of(gateway: string): Assigned[] {
    const types = new Map<string, Assigned>();
    for (const one of this.#assigned)
      if (one.gateway === gateway || (one.gateway === null && !types.has(one.type))) types.set(one.type, one);
    return [...types.values()];
  }

  /** Bundles that may be needed. */
  get used(): Set<string> {
    const bundles = this.#assigned.flatMap(({ bundle, former }) => [bundle, ...former]);
    return new Set(bundles.filter(bundle => bundle !== null));
  }

  /**
   * Durable when it resolves; gateways carry it out once, also if it is what they run.
   * @param isFit  whether a rollback may lead back to what was assigned so far
   * @throws EW_HTTP_REQUEST for more device types than a gateway takes
   */
  assign(
    { type, gateway, bundle, shadow }: Ordered,
    isFit: (before: Assigned) => boolean = () => true,
  ): Promise<Assigned> {
    return this.#inTurn(async () => {
      this.#checkRoom(type, gateway);
      const before = this.#find(type, gateway);
      const ran = before && isFit(before) ? [before.bundle, ...before.former] : (before?.former ?? [null]);
      const former = afterAll(bundle, ran).slice(0, maxFormer);
      return this.#put({ type, gateway, bundle, former, ...(shadow && { shadow }) });
    });
  }

  /**
   * To what was assigned before; a gateway that had no assignment of its own gets the general one again.
   * @param isThere  of a bundle
   * @returns undefined if nothing is assigned
   */
  rollBack(
    type: string,
    gateway: string | null,
    isThere: (bundle: string) => boolean = () => true,
  ): Promise<Assigned | undefined> {
    return this.#inTurn(async () => {
      const before = this.#find(type, gateway);
      if (!before) return undefined;
      const known = before.former.filter(one => one === null || isThere(one));
      const [bundle = null, ...former] = afterAll(before.bundle, known);
      const general = gateway !== null && bundle === null && this.#find(type, null);
      if (!general) return this.#put({ type, gateway, bundle, former });
      await this.#keep(this.#assigned.filter(one => one !== before));
      return general;
    });
  }

  /** One change after the other: they share one file. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** A gateway that is told of more takes none of them. */
  #checkRoom(type: string, gateway: string | null): void {
    const names = gateway === null ? [null, ...this.#assigned.map(one => one.gateway)] : [gateway];
    for (const name of new Set(names)) {
      const own = this.#assigned.filter(one => one.gateway === null || one.gateway === name);
      const types = new Set(own.filter(({ bundle }) => bundle !== null).map(one => one.type));
      if (types.has(type) || types.size < modelLimits.maxAssignments) continue;
      const whose = name === null ? 'all gateways' : `gateway ${name}`;
      throw new EdgewardError(
        'EW_HTTP_REQUEST',
        `type: ${type} would be one device type more than the ${types.size} that a gateway takes models for (${whose}): roll one back to what is configured, or assign for single gateways.`,
      );
    }
  }

  #find(type: string, gateway: string | null): Assigned | undefined {
    return this.#assigned.find(one => one.type === type && one.gateway === gateway);
  }

  async #put(one: Omit<Assigned, 'order' | 'atMs'>): Promise<Assigned> {
    const put = { ...one, order: randomBytes(8).toString('hex'), atMs: this.#clock.now() };
    const others = this.#assigned.filter(({ type, gateway }) => type !== one.type || gateway !== one.gateway);
    await this.#keep([...others, put]);
    return put;
  }

  async #keep(assigned: readonly Assigned[]): Promise<void> {
    await writeFileAtomic(this.#file, `${JSON.stringify({ format: 1, assigned })}\n`);
    this.#assigned = assigned;
  }
}

/** A rollback leads somewhere else. */
function afterAll(bundle: string | null, former: readonly (string | null)[]): (string | null)[] {
  const from = former.findIndex(one => one !== bundle);
  return from < 0 ? [] : former.slice(from);
}
