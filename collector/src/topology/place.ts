import type { Criticality, Level } from './config.js';

/** Where in the plant a device is, below its site, as far as that is known. */
export interface Asset {
  /** `north/line-2/press-4`: the site first, or the gateway where no site is known. */
  readonly path: string;
  /** Of the last part. */
  readonly level: Level;
  /** Path of the line that it is or lies in; absent = none is known. */
  readonly line?: string;
  /** Absent = normal. */
  readonly criticality?: Exclude<Criticality, 'normal'>;
  /** Taken from names; absent = from the configuration. */
  readonly inferred?: true;
}

/** A device, or what is told of one. */
export interface Placed {
  readonly gateway: string;
  readonly site: string | null;
  readonly asset?: Asset;
}

/** `north/line-2/press-4`, `north`, or the gateway where nothing else is known. */
export function pathOf({ gateway, site, asset }: Placed): string {
  return asset?.path ?? site ?? gateway;
}

/** Whether it is that asset, or lies in it. */
export function isUnder(placed: Placed, path: string): boolean {
  const own = pathOf(placed);
  return own === path || own.startsWith(`${path}/`) || placed.site === path;
}

export function onSameMachine(a: Placed, b: Placed): boolean {
  return a.asset?.level === 'machine' && b.asset?.level === 'machine' && a.asset.path === b.asset.path;
}

export function onSameLine(a: Placed, b: Placed): boolean {
  return a.asset?.line !== undefined && a.asset.line === b.asset?.line;
}

/** By what the gateways say; the same place in the plant counts as well. */
export function onSameSite(a: Placed, b: Placed): boolean {
  return (a.site !== null && a.site === b.site) || a.gateway === b.gateway;
}
