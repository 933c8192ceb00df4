/** Messages to rows: which device, which fields, which time. */
import type { Value } from '@edgeward/shared/batch';
import type { Field } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import { getOrMake } from '@edgeward/shared/maps';
import { Quality } from '@edgeward/shared/quality';
import { namePattern } from '@edgeward/shared/topics';
import type { SourceContext } from '../define.js';
import type { MqttConfig, SubscriptionConfig } from './config.js';
import type { Message } from './frames.js';
import {
  asValue,
  fieldName,
  type JsonObject,
  readings,
  readJson,
  readPlain,
  readTime,
  Unreadable,
  valueAt,
} from './payload.js';
import { mostFields, Rows } from './rows.js';
import { fillIn, matchTopic, parsePattern, type TopicPattern } from './topic-pattern.js';

/** Rejected messages whose topic names no device are counted under this one. */
export const unnamedDevice = 'unmapped';
/** Topics whose meaning is remembered. */
const mostRoutes = 50_000;

interface Subscription {
  readonly config: SubscriptionConfig;
  readonly pattern: TopicPattern;
  /** Undefined: every field that comes is taken. */
  readonly fields: readonly DeclaredField[] | undefined;
  readonly timePath: readonly string[] | undefined;
}

interface DeclaredField {
  readonly field: Field;
  readonly path: readonly string[];
}

/** What a topic stands for. */
interface Route {
  readonly subscription: Subscription;
  readonly rows: Rows;
  readonly device: number;
  readonly deviceName: string;
  /** Of a plain value. */
  readonly field: number;
}

interface Refusal {
  readonly device: string;
  readonly reason: string;
}

/** Message or not: what became of it. */
export type Mapped = Rows | Refusal;

export class Mapping {
  readonly #subscriptions: readonly Subscription[];
  readonly #rows = new Map<string, Rows>();
  readonly #joinMs: number;
  readonly #context: SourceContext;
  readonly #devices = new Map<string, { rows: Rows; index: number }>();
  readonly #routes = new Map<string, Route | Refusal>();

  constructor(config: MqttConfig, context: SourceContext) {
    this.#context = context;
    this.#joinMs = config.joinMs;
    this.#subscriptions = config.subscriptions.map(subscriptionOf);
    for (const { config: options, fields } of this.#subscriptions) {
      const rows = this.#rowsOf(options.deviceType);
      for (const { field } of fields ?? []) rows.field(field);
    }
  }

  /** Filters and QoS to subscribe with. */
  get filters(): { readonly topic: string; readonly qos: 0 | 1 }[] {
    return this.#subscriptions.map(({ pattern, config }) => ({ topic: pattern.filter, qos: config.qos }));
  }

  /** Those that have rows. */
  filled(): Rows[] {
    return [...this.#rows.values()].filter(({ size }) => size > 0);
  }

  /** Puts what the message says into rows. */
  take(message: Message): Mapped {
    const route = this.#routeOf(message.topic);
    if (!('rows' in route)) return route;
    if (message.tooLong)
      return { device: route.deviceName, reason: 'the message is longer than maxPacketBytes' };
    try {
      const trouble =
        route.subscription.config.payload === 'json' ? takeJson(route, message) : this.#plain(route, message);
      return trouble ? { device: route.deviceName, reason: trouble.reason } : route.rows;
    } catch (error) {
      if (!(error instanceof EdgewardError)) throw error;
      return this.#refuse(message.topic, route.deviceName, error.message);
    }
  }

  #plain({ subscription, rows, device, field }: Route, message: Message): Unreadable | undefined {
    const kind = subscription.config.payload as 'number' | 'bool' | 'text';
    const value = readPlain(kind, message);
    if (value instanceof Unreadable) return value;
    rows.join(device, field, value, message.atMs, this.#joinMs);
    return undefined;
  }

  #routeOf(topic: string): Route | Refusal {
    const known = this.#routes.get(topic);
    if (known) return known;
    if (this.#routes.size >= mostRoutes) this.#routes.clear();
    const found = this.#findRoute(topic);
    this.#routes.set(topic, found);
    return found;
  }

  #refuse(topic: string, device: string, reason: string): Refusal {
    const refusal = { device, reason };
    this.#routes.set(topic, refusal);
    return refusal;
  }

  #findRoute(topic: string): Route | Refusal {
    for (const subscription of this.#subscriptions) {
      const names = matchTopic(subscription.pattern, topic);
      if (names) return this.#routeBy(subscription, names);
    }
    return { device: unnamedDevice, reason: 'no subscription has this topic' };
  }

  #routeBy(subscription: Subscription, names: ReadonlyMap<string, string>): Route | Refusal {
    const { config } = subscription;
    const deviceName = fillIn(config.device, names);
    if (!namePattern.test(deviceName))
      return { device: unnamedDevice, reason: 'the topic gives no name that a device can have' };
    const rows = this.#rowsOf(config.deviceType);
    const device = this.#devices.get(deviceName) ?? this.#newDevice(deviceName, rows);
    if (!device) return { device: deviceName, reason: 'there are too many devices of its type' };
    if (device.rows !== rows)
      return { device: deviceName, reason: `the device has the type ${device.rows.type} already` };
    const field = config.payload === 'json' ? -1 : plainField(subscription, names, rows);
    if (typeof field === 'string') return { device: deviceName, reason: field };
    return { subscription, rows, device: device.index, deviceName, field };
  }

  #newDevice(name: string, rows: Rows): { rows: Rows; index: number } | undefined {
    const index = rows.addDevice(name);
    if (index === undefined) return undefined;
    const device = { rows, index };
    this.#devices.set(name, device);
    return device;
  }

  #rowsOf(type: string): Rows {
    const warnOnce = once(() =>
      this.#context.log.error(
        { type, fields: mostFields },
        'a device type has too many fields: further ones are left out; declare those that matter under fields',
      ),
    );
    return getOrMake(this.#rows, type, () => new Rows(type, this.#context.rows, warnOnce));
  }
}

function once(act: () => void): () => void {
  let done = false;
  return () => {
    if (!done) act();
    done = true;
  };
}

function subscriptionOf(config: SubscriptionConfig): Subscription {
  const pattern = parsePattern(config.topic);
  if (typeof pattern === 'string') throw new TypeError(`${config.topic}: ${pattern}`);
  const usual = config.payload === 'text' ? 'string' : config.payload === 'bool' ? 'bool' : 'float';
  const fields = config.fields?.map(({ path, kind, ...rest }) => ({
    field: { ...(JSON.parse(JSON.stringify(rest)) as typeof rest), kind: kind ?? usual } as Field,
    path: (path ?? rest.name).split('.'),
  }));
  return { config, pattern, fields, timePath: config.timePath?.split('.') };
}

/** @returns the index of the field that a plain value of this topic is of, or why there is none */
function plainField(
  { config, fields, pattern }: Subscription,
  names: ReadonlyMap<string, string>,
  rows: Rows,
): number | string {
  const template = config.field ?? (pattern.names.includes('field') ? '{field}' : 'value');
  const name = fieldName(fillIn(template, names));
  if (name === undefined) return 'the topic gives no name that a field can have';
  const declared = fields?.find(({ field }) => field.name === name)?.field;
  if (fields && !declared) return 'its field is not among the fields declared';
  const kind = config.payload === 'text' ? 'string' : config.payload === 'bool' ? 'bool' : 'float';
  return rows.field(declared ?? { name, kind }) ?? 'its device type has too many fields';
}

const empty = new Unreadable('the payload has none of the fields');

function takeJson({ subscription, rows, device }: Route, message: Message): Unreadable | undefined {
  const object = readJson(message);
  if (object instanceof Unreadable) return object;
  const { fields, timePath, config } = subscription;
  const cells = fields ? declaredCells(object, fields, rows) : foundCells(object, config.timePath, rows);
  if (cells.length === 0) return empty;
  const found = timePath && valueAt(object, timePath);
  const timeMs = timePath && readTime(found, config.timeFormat);
  const timed = timeMs !== undefined && !Number.isNaN(timeMs);
  const row = rows.begin(device, message.atMs, timed ? timeMs : undefined);
  if (timePath && !timed) rows.mark(row, Quality.invalid); // kept, at the time it came
  for (const [field, value] of cells) rows.set(row, field, value);
  return undefined;
}

type Cell = readonly [field: number, value: Value];

function declaredCells(object: JsonObject, fields: readonly DeclaredField[], rows: Rows): Cell[] {
  const cells: Cell[] = [];
  for (const { field, path } of fields) {
    const value = asValue(valueAt(object, path), field.kind);
    const index = rows.field(field);
    if (value !== undefined && index !== undefined) cells.push([index, value]);
  }
  return cells;
}

function foundCells(object: JsonObject, timePath: string | undefined, rows: Rows): Cell[] {
  const cells: Cell[] = [];
  for (const [name, value] of readings(object, timePath)) {
    const kind = typeof value === 'number' ? 'float' : 'bool';
    const field = rows.field({ name, kind });
    if (field !== undefined) cells.push([field, value]);
  }
  return cells;
}
