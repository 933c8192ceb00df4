/** The part of a line before its fields: `measurement,tag=value,…` names the device. */
import type { HttpConfig } from './http-config.js';
import type { HttpDevices } from './http-devices.js';
import { isProblem, type Problem } from './http-problem.js';
import { type Device, ownText } from './http-shapes.js';

export interface Series {
  readonly device: Device;
  /** What the measurement adds to the names of its fields; undefined = nothing. */
  readonly fieldPrefix: string | undefined;
}

/** More than that are hardly those of one gateway; the memory is then begun anew. */
const mostSeries = 10_000;

/** Remembers what each series means: lines of a device are alike up to their fields. */
export class SeriesReader {
  readonly #known = new Map<string, Series>();
  readonly #config: HttpConfig;
  readonly #devices: HttpDevices;

  constructor(config: HttpConfig, devices: HttpDevices) {
    this.#config = config;
    this.#devices = devices;
  }

  read(text: string): Series | Problem {
    const known = this.#known.get(text);
    if (known) return known;
    const series = this.#resolve(text);
    if (isProblem(series) || !series.device.heard) return series;
    if (this.#known.size >= mostSeries) this.#known.clear();
    this.#known.set(ownText(text), series);
    return series;
  }

  #resolve(text: string): Series | Problem {
    const [first = '', ...tags] = split(text, 0x2c);
    const measurement = plain(first);
    if (measurement === '')
      return { kind: 'syntax', reason: 'a line begins with the name of a measurement', value: text };
    const values = new Map<string, string>();
    for (const tag of tags) {
      const [key = '', value = '', ...rest] = split(tag, 0x3d);
      if (key === '' || value === '' || rest.length > 0)
        return {
          kind: 'syntax',
          reason: 'a tag must be key=value; "=", "," and blanks in it need a \\',
          value: tag,
        };
      values.set(plain(key), plain(value));
    }
    return this.#named(measurement, values);
  }

  #named(measurement: string, tags: ReadonlyMap<string, string>): Series | Problem {
    const { deviceTags, fieldNames, deviceType } = this.#config;
    const parts = deviceTags.flatMap(tag => tags.get(tag) ?? []);
    const byField = fieldNames === 'field';
    const type = deviceType ?? (byField ? measurement : undefined);
    const device = this.#devices.find(parts.length > 0 ? parts.join('.') : measurement, type);
    if (isProblem(device)) return device;
    if (!device.declared && type !== undefined && device.type.name !== type) {
      const remedy =
        'set fieldNames to measurement for one device with several measurements, or name devices by more deviceTags';
      return {
        kind: 'deviceType',
        device: device.name,
        value: type,
        reason: `device ${device.name} is of type ${device.type.name} already. Remedy: ${remedy}`,
      };
    }
    return { device, fieldPrefix: byField ? undefined : measurement };
  }
}

/** The parts between separators that no backslash precedes. */
function split(text: string, separator: number): string[] {
  const parts: string[] = [];
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x5c) at += 1;
    else if (code === separator) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}

/** Names and tags: a backslash before comma, equals sign or blank goes, any other stays. */
export function plain(text: string): string {
  return text.includes('\\') ? text.replace(/\\([,= ])/g, '$1') : text;
}
