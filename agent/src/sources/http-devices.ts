import type { Field, FieldKind } from '@edgeward/shared/contracts';
import { didYouMean } from '@edgeward/shared/nearest';
import { namePattern } from '@edgeward/shared/topics';
import { declaredField } from './field-options.js';
import type { HttpConfig } from './http-config.js';
import type { Problem } from './http-problem.js';
import { type Device, DeviceType } from './http-shapes.js';

export type CellValue = number | bigint | boolean | string;

const nameRule = 'use up to 64 letters, digits, dots, dashes and underscores, a letter or digit first';

/** Which devices and fields there are: those declared, and those that points have named so far. */
export class HttpDevices {
  readonly #config: HttpConfig;
  readonly #claim: (device: string) => boolean;
  readonly #types = new Map<string, DeviceType>();
  readonly #devices = new Map<string, Device>();
  readonly #declared: Map<string, string>;
  /** Declared and not heard of yet: they have their place. */
  #silent: number;

  /** @param claim  whether a device is free to be this source's */
  constructor(config: HttpConfig, claim: (device: string) => boolean) {
    this.#config = config;
    this.#claim = claim;
    this.#declared = new Map(config.devices.map(({ name, type }) => [name, type]));
    this.#silent = this.#declared.size;
    for (const { name, fields } of config.deviceTypes)
      this.#types.set(name, new DeviceType(name, fields.map(declaredField)));
  }

  /**
   * A device that is not known yet becomes known with its first row: see `admit`.
   * @param type  of one that is not known yet; undefined = as configured
   */
  find(name: string, type: string | undefined): Device | Problem {
    return this.#devices.get(name) ?? this.#discover(name, type);
  }

  /** Its first row has come. */
  admit(device: Device): Problem | undefined {
    const { name, type, declared, shape } = device;
    if (!this.#claim(name)) {
      const reason = `another source reads device ${name}. Remedy: give it another name`;
      return { kind: 'deviceName', value: name, reason };
    }
    this.#types.set(type.name, type);
    this.#devices.set(name, device);
    shape.join(device);
    if (declared) this.#silent -= 1;
    device.heard = true;
    return undefined;
  }

  /**
   * Makes the values fit the fields of the device, in place; unknown fields join them.
   * @param names   of the first `count` fields
   * @param values  null = the device gave none
   * @param ids     set to the ids of the fields; -1 = nothing to store
   */
  fit(
    device: Device,
    names: readonly string[],
    values: (CellValue | null)[],
    count: number,
    ids: number[],
  ): Problem | undefined {
    let unknown = 0;
    let stored = 0;
    for (let i = 0; i < count; i++) {
      const [id, value] = [device.type.idOf(names[i]!), values[i]!];
      ids[i] = value === null ? -1 : (id ?? -1);
      if (id !== undefined && device.shape.has(id)) stored += 1;
      else if (value !== null) unknown += 1;
      if (id === undefined || value === null) continue;
      const fitting = fitKind(device.type.fields[id]!.kind, value);
      if (fitting === undefined) return this.#kindProblem(device, id, value);
      values[i] = fitting;
    }
    if (unknown > 0) return this.#join(device, names, values, count, ids);
    return stored > 0 ? undefined : { kind: 'noValue', device: device.name, reason: 'it has no value' };
  }

  #kindProblem({ name, type }: Device, id: number, value: CellValue): Problem {
    const field = type.fields[id]!;
    const since = type.declared ? 'is declared as' : 'has been';
    return {
      kind: 'kind',
      device: name,
      field: field.name,
      value: String(value),
      reason: `the field ${since} ${field.kind}. Remedy: send ${kindWords[field.kind]}, or choose another field name`,
    };
  }

  /** All of them or none. */
  #join(
    device: Device,
    names: readonly string[],
    values: readonly (CellValue | null)[],
    count: number,
    ids: number[],
  ): Problem | undefined {
    const fresh = new Map<string, Field>();
    const joining = new Set<number>();
    for (let i = 0; i < count; i++) {
      if (values[i] === null) continue;
      const [name, id] = [names[i]!, ids[i]!];
      if (id >= 0) {
        if (!device.shape.has(id)) joining.add(id);
        continue;
      }
      const problem = this.#fieldProblem(device, name, fresh.get(name), values[i]!);
      if (problem) return problem;
      fresh.set(name, { name, kind: kindOf(values[i]!) });
    }
    const size = device.shape.size + joining.size + fresh.size;
    if (size > this.#config.maxFields) {
      return {
        kind: 'tooManyFields',
        device: device.name,
        reason: `device ${device.name} would have ${size} fields, and maxFields is ${this.#config.maxFields}`,
      };
    }
    for (const field of fresh.values()) joining.add(device.type.add(field));
    device.type.grow(device, [...joining]);
    for (let i = 0; i < count; i++)
      if (ids[i] === -1 && values[i] !== null) ids[i] = device.type.idOf(names[i]!)!;
    return undefined;
  }

  #fieldProblem(
    { name: device, type }: Device,
    field: string,
    same: Field | undefined,
    value: CellValue,
  ): Problem | undefined {
    const at = { device, field, value: String(value) };
    if (this.#config.discover !== 'all') {
      const hint = didYouMean(
        field,
        type.fields.map(({ name }) => name),
      );
      const remedy = `declare it, or set discover to all`;
      return {
        ...at,
        kind: 'field',
        reason: `type ${type.name} has no such field.${hint} Remedy: ${remedy}`,
      };
    }
    if (!namePattern.test(field))
      return { ...at, kind: 'fieldName', reason: `not a field name. Remedy: ${nameRule}` };
    if (same && same.kind !== kindOf(value))
      return { ...at, kind: 'kind', reason: `the field stands there twice, as ${same.kind} too` };
    if (type.fields.length >= mostTypeFields)
      return {
        ...at,
        kind: 'tooManyFields',
        reason: `type ${type.name} has ${mostTypeFields} fields already`,
      };
    return undefined;
  }

  #discover(name: string, wanted: string | undefined): Device | Problem {
    const declared = this.#declared.get(name);
    const typeName = declared ?? wanted ?? this.#config.deviceType ?? 'device';
    const problem = declared === undefined ? this.#deviceProblem(name, typeName) : undefined;
    if (problem) return problem;
    const type = this.#types.get(typeName) ?? new DeviceType(typeName);
    return type.newDevice(name, declared !== undefined);
  }

  #deviceProblem(name: string, type: string): Problem | undefined {
    const { discover, maxDevices } = this.#config;
    const notName = { kind: 'deviceName', value: name } as const;
    const notType = { kind: 'deviceType', value: type } as const;
    if (!namePattern.test(name)) return { ...notName, reason: `not a device name. Remedy: ${nameRule}` };
    if (discover === 'nothing') {
      const hint = didYouMean(name, this.#declared.keys());
      const remedy = 'declare it under devices, or set discover to devices or all';
      return { ...notName, reason: `no such device.${hint} Remedy: ${remedy}` };
    }
    if (!namePattern.test(type)) return { ...notType, reason: `not a device type. Remedy: ${nameRule}` };
    if (discover === 'devices' && !this.#types.has(type)) {
      const hint = didYouMean(type, this.#types.keys());
      const remedy = 'declare it under deviceTypes, or set discover to all';
      return { ...notType, reason: `no such device type.${hint} Remedy: ${remedy}` };
    }
    if (this.#devices.size + this.#silent < maxDevices) return undefined;
    const reason = `there are ${maxDevices} devices already. Remedy: raise maxDevices if they are real`;
    return { kind: 'tooManyDevices', value: name, reason };
  }
}

/** Over all devices of a type. */
const mostTypeFields = 4096;

const kindWords: Readonly<Record<FieldKind, string>> = {
  float: 'a number',
  int: 'a whole number',
  bool: 'true or false',
  string: 'text',
};

function kindOf(value: CellValue): FieldKind {
  switch (typeof value) {
    case 'number':
      return 'float';
    case 'bigint':
      return 'int';
    case 'boolean':
      return 'bool';
    case 'string':
      return 'string';
  }
}

/** The value as the column holds it; undefined if that would change it. A switch may be recorded as 0 and 1. */
function fitKind(kind: FieldKind, value: CellValue): CellValue | undefined {
  switch (kind) {
    case 'float':
      if (typeof value === 'number') return value;
      if (typeof value === 'boolean') return value ? 1 : 0;
      return typeof value === 'bigint' && Number.isSafeInteger(Number(value)) ? Number(value) : undefined;
    case 'int':
      if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : undefined;
      return typeof value === 'bigint' && BigInt.asIntN(64, value) === value ? value : undefined;
    case 'bool':
      return typeof value === 'boolean' ? value : undefined;
    case 'string':
      return typeof value === 'string' ? value : undefined;
  }
}
