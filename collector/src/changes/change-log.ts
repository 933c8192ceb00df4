/**
 * The last changes at each gateway: another configuration, agent, model or schema, a restart. What a gateway was like
 * when it was last heard is stored together with them, so that a change is found also if it came while nobody looked,
 * and none twice.
 */
import type { Delivery, Schema } from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import { getOrMake } from '@edgeward/shared/maps';
import type { AlertStore } from '../alerts/alert-store.js';
import type { GatewayReport } from '../report.js';
import type { Change, ChangeKind } from './change.js';
import { type Fields, schemaDiff, withFields } from './schema-diff.js';

/** What reports said last. */
interface Known {
  readonly epoch: string;
  readonly version: string;
  readonly configuration?: Readonly<Record<string, string>> | undefined;
  readonly models: Readonly<Record<string, string>>;
}

interface Entry {
  readonly known?: Known;
  /** In the order in which they were noted. */
  readonly changes: readonly Change[];
}

/** What rows had last; not stored, since the journal is read back at start. */
interface Schemas {
  /** Those that all their devices have. */
  readonly current: Set<Schema>;
  readonly byDevice: Map<string, Seen>;
}

/** Devices that went the same way share it. */
interface Seen {
  readonly schema: Schema;
  /** All that it ever had. */
  readonly fields: Fields;
}

const prefix = 'change/';
/** Of each kind, at each gateway. */
const mostChanges = 10;
/** The same change of fields is told once in such a time. */
const againMs = 3_600_000;
/** Devices of a gateway whose fields are known; beyond, all are learned anew. */
const mostKnown = 10_000;
/** Devices that a change names; of more it concerns all of the type. */
const mostDevices = 50;
/** Sections and models that are known of a gateway. */
const mostWords = 64;
/** That are stored at once: a fleet that is updated must not hold up incidents. */
const mostStored = 200;

export class ChangeLog {
  readonly #store: AlertStore;
  readonly #log: Logger;
  readonly #entries = new Map<string, Entry>();
  readonly #schemas = new Map<string, Schemas>();
  /** Gateways of which the store has something older. */
  readonly #unsaved = new Set<string>();

  /** Told once, and tried again every second. */
  #isFailing = false;

  private constructor(store: AlertStore, log: Logger) {
    this.#store = store;
    this.#log = log;
  }

  static async open(store: AlertStore, log: Logger): Promise<ChangeLog> {
    const changes = new ChangeLog(store, log);
    for (const [gateway, value] of await store.list(prefix)) changes.#entries.set(gateway, value as Entry);
    return changes;
  }

  /** In the order in which they were noted. */
  of(gateway: string): readonly Change[] {
    return this.#entries.get(gateway)?.changes ?? [];
  }

  /** A gateway's newest report; none that a later start has made outdated. */
  report(report: GatewayReport): void {
    const { gateway } = report;
    const entry = this.#entries.get(gateway);
    const known = knownOf(report);
    if (entry?.known && isSame(entry.known, known)) return;
    const changes = entry?.known ? changesBetween(entry.known, known, report) : [];
    this.#put(gateway, { known, changes: withNew(entry?.changes ?? [], changes) });
  }

  /** What the journal has stored. Late rows tell how it was, not how it is. */
  rows(deliveries: readonly Delivery[]): void {
    for (const { gateway, batch, late } of deliveries) {
      if (late || batch.time.length === 0) continue;
      const schemas = getOrMake(this.#schemas, gateway, newSchemas);
      if (schemas.current.has(batch.schema)) continue;
      const changes = schemaChanges(schemas, batch.schema, batch.time[0]!);
      if (changes.length === 0) continue;
      const entry = this.#entries.get(gateway);
      const known = entry?.changes ?? [];
      const all = withNew(known, changes);
      if (all !== known) this.#put(gateway, { ...entry, changes: all });
    }
  }

  /** Stores what waits, of so many gateways; what fails is tried again with the next call. */
  async save(most = mostStored): Promise<void> {
    const gateways = [...this.#unsaved].slice(0, most);
    if (gateways.length === 0) return;
    const entries = gateways.map(gateway => [gateway, this.#entries.get(gateway)] as const);
    try {
      await this.#store.commit(entries.map(([gateway, value]) => ({ key: prefix + gateway, value })));
    } catch (error) {
      if (!this.#isFailing)
        this.#log.warn({ reason: messageOf(error) }, 'changes at gateways could not be stored; trying again');
      this.#isFailing = true;
      return;
    }
    this.#isFailing = false;
    for (const [gateway, entry] of entries)
      if (this.#entries.get(gateway) === entry) this.#unsaved.delete(gateway);
  }

  #put(gateway: string, entry: Entry): void {
    this.#entries.set(gateway, entry);
    this.#unsaved.add(gateway);
  }
}

function newSchemas(): Schemas {
  return { current: new Set(), byDevice: new Map() };
}

function knownOf({ epoch, version, configuration, models }: GatewayReport): Known {
  return { epoch, version, configuration: configuration && inOrder(configuration), models: inOrder(models) };
}

function inOrder(words: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(words).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.slice(0, mostWords));
}

function isSame(a: Known, b: Known): boolean {
  return a.epoch === b.epoch && JSON.stringify(a) === JSON.stringify(b);
}

function changesBetween(before: Known, now: Known, { startedMs, atMs }: GatewayReport): Change[] {
  const restarted = before.epoch !== now.epoch;
  // A start that lies ahead of its own report is none; older agents do not tell it.
  const sinceMs = restarted && startedMs !== undefined ? Math.min(startedMs, atMs) : atMs;
  const sections = sectionsBetween(before.configuration, now.configuration);
  const changes: Change[] = [
    ...(sections.length > 0 ? [change('configuration', sinceMs, sections.join(', '))] : []),
    ...(before.version === now.version
      ? []
      : [change('agent', sinceMs, `${before.version} to ${now.version}`)]),
    ...modelsBetween(before.models, now.models, sinceMs),
  ];
  return restarted && changes.length === 0 ? [change('restart', sinceMs, '')] : changes;
}

function change(kind: ChangeKind, atMs: number, what: string): Change {
  return { kind, atMs, what };
}

/** None where one of both did not tell it. */
function sectionsBetween(before: Known['configuration'], now: Known['configuration']): string[] {
  if (!before || !now) return [];
  const names = new Set([...Object.keys(before), ...Object.keys(now)]);
  return [...names].filter(name => before[name] !== now[name]).sort();
}

function modelsBetween(before: Known['models'], now: Known['models'], atMs: number): Change[] {
  const types = [...new Set([...Object.keys(before), ...Object.keys(now)])].sort();
  return types
    .filter(type => before[type] !== now[type])
    .map(type => ({
      ...change('model', atMs, `${before[type] ?? 'none'} to ${now[type] ?? 'none'}`),
      deviceType: type,
    }));
}

/** One for all devices that changed in the same way. */
function schemaChanges({ current, byDevice }: Schemas, schema: Schema, atMs: number): Change[] {
  if (byDevice.size > mostKnown) {
    current.clear();
    byDevice.clear();
  }
  const devicesOf = new Map<string, string[]>();
  const steps = new Map<Seen | undefined, Step>();
  for (const device of schema.devices) {
    const before = byDevice.get(device);
    if (before?.schema === schema) continue;
    const { seen, what } = getOrMake(steps, before, () => stepFrom(before, schema));
    byDevice.set(device, seen);
    if (before) current.delete(before.schema);
    if (what !== undefined) getOrMake(devicesOf, what, () => []).push(device);
  }
  current.add(schema);
  return [...devicesOf].map(([what, devices]) => ({
    ...change('schema', atMs, what),
    deviceType: schema.type,
    ...(devices.length <= mostDevices && { devices }),
  }));
}

interface Step {
  readonly seen: Seen;
  readonly what: string | undefined;
}

function stepFrom(before: Seen | undefined, schema: Schema): Step {
  const known = before?.schema.type === schema.type ? before.fields : undefined;
  const seen = { schema, fields: withFields(known, schema) };
  return { seen, what: known && schemaDiff(known, schema) };
}

/** What is known already is not noted again: after a start the journal tells it once more. */
function withNew(known: readonly Change[], found: readonly Change[]): readonly Change[] {
  const keys = new Set(known.map(keyOf));
  const fresh = found.filter(one => !keys.has(keyOf(one)) && !isAgain(one, known));
  if (fresh.length === 0) return known;
  const count = new Map<ChangeKind, number>();
  return [...known, ...fresh]
    .reverse()
    .filter(({ kind }) => {
      count.set(kind, (count.get(kind) ?? 0) + 1);
      return count.get(kind)! <= mostChanges;
    })
    .reverse();
}

/** Devices that send now these fields, now those, change all the time: that is how they are. */
function isAgain({ kind, deviceType, what, atMs }: Change, known: readonly Change[]): boolean {
  return (
    kind === 'schema' &&
    known.some(
      one =>
        one.kind === kind &&
        one.deviceType === deviceType &&
        one.what === what &&
        Math.abs(atMs - one.atMs) < againMs,
    )
  );
}

function keyOf({ kind, atMs, deviceType = '', what }: Change): string {
  return JSON.stringify([kind, atMs, deviceType, what]);
}
