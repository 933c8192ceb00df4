/** The plant as it is configured, or as names tell it. What it says of a device depends on nothing but its names. */
import { isDeepStrictEqual } from 'node:util';
import { type AssetOptions, abovePaths, levelsOf, type TopologyConfig, topologyConfig } from './config.js';
import { inferPlace } from './infer.js';
import { ByStart, exactness, fits } from './pattern.js';
import { type Asset, onSameLine, onSameMachine, type Placed } from './place.js';

interface Claim {
  readonly gateway: string;
  readonly device: string;
  readonly asset: Asset;
  /** The lowest of those that fit counts. */
  readonly rank: number;
}

interface Named {
  readonly gateway: string;
  readonly device: string;
}

/** Devices are asked for again and again, all of them at each look at an incident: more than `Live` has room for. */
const mostKnown = 100_000;
/** Names are shorter (`namePattern`). */
const longestName = 256;

export class Topology {
  #config: TopologyConfig | undefined;
  #infers = true;
  /** By their patterns for gateways, then for devices; each list has those that spell out most first. */
  #claims = new ByStart<ByStart<Claim[]>>();
  /** As they are configured, by path. */
  #assets: ReadonlyMap<string, AssetOptions> = new Map();
  #feeders: ReadonlyMap<string, readonly string[]> = new Map();
  readonly #known = new Map<string, Asset | null>();

  constructor(config: TopologyConfig = topologyConfig.parse({})) {
    this.replace(config);
  }

  /** From now on; what was told of devices before stands. @returns whether it is another one */
  replace(config: TopologyConfig): boolean {
    if (isDeepStrictEqual(config, this.#config)) return false;
    const { infer, assets } = config;
    this.#config = config;
    const levels = levelsOf(assets);
    this.#infers = infer;
    this.#assets = new Map(assets.map(asset => [asset.path, asset]));
    const claims = assets.flatMap(({ path, devices }) => {
      const asset = this.#configured(path, levels);
      return devices.map(one => ({ ...one, asset }));
    });
    // Sorting is stable: of equals the first in the file.
    claims.sort(
      (a, b) =>
        compare(exactness(b.device), exactness(a.device)) ||
        compare(exactness(b.gateway), exactness(a.gateway)),
    );
    this.#claims = new ByStart();
    for (const [rank, claim] of claims.entries())
      this.#claims
        .getOrMake(claim.gateway, () => new ByStart<Claim[]>())
        .getOrMake(claim.device, () => [])
        .push({ ...claim, rank });
    const feeders = new Map<string, string[]>();
    for (const { path, feeds } of assets)
      for (const fed of feeds) feeders.set(fed, [...(feeders.get(fed) ?? []), path]);
    this.#feeders = feeders;
    this.#known.clear();
    return true;
  }

  /** Undefined: nothing is known beyond gateway and site. */
  assetOf(gateway: string, device: string, site: string | null): Asset | undefined {
    const key = `${gateway}\n${site ?? ''}\n${device}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known ?? undefined;
    const asset =
      this.#claimOn(gateway, device)?.asset ??
      (this.#infers ? this.#inferred(gateway, device, site) : undefined);
    // A name that long is not worth its memory.
    if (key.length <= 256) {
      if (this.#known.size >= mostKnown) this.#known.delete(this.#known.keys().next().value!);
      this.#known.set(key, asset ?? null);
    }
    return asset;
  }

  /** How many devices an asset has; undefined where that is not told one by one. */
  devicesOf(path: string): number | undefined {
    const devices = this.#assets.get(path)?.devices ?? [];
    const isTold =
      devices.length > 0 && devices.every(({ gateway, device }) => !`${gateway}${device}`.includes('*'));
    return isTold ? new Set(devices.map(({ gateway, device }) => `${gateway}/${device}`)).size : undefined;
  }

  /** Whether b gets power, water, … from a, be it through others. */
  feeds(a: Placed, b: Placed): boolean {
    if (this.#feeders.size === 0 || !a.asset || !b.asset) return false;
    const sources = new Set<string>();
    const open = [b.asset.path];
    for (let path = open.pop(); path !== undefined; path = open.pop())
      for (const fed of [path, ...abovePaths(path)])
        for (const source of this.#feeders.get(fed) ?? [])
          if (!sources.has(source)) {
            sources.add(source);
            open.push(source);
          }
    return [a.asset.path, ...abovePaths(a.asset.path)].some(path => sources.has(path));
  }

  /** Whether trouble on one may show on the other: at one gateway, on one machine or line, or where one feeds the other. */
  areNear(a: Placed, b: Placed): boolean {
    if (a.gateway === b.gateway || onSameMachine(a, b) || onSameLine(a, b)) return true;
    return this.feeds(a, b) || this.feeds(b, a);
  }

  /** Those that `areNear` a device beyond its gateway; undefined where only that is known. */
  around(
    { gateway, device }: Named,
    siteOf: (gateway: string) => string | null,
  ): ((other: Named) => boolean) | undefined {
    const placed = (one: Named): Placed => {
      const site = siteOf(one.gateway);
      const asset = this.assetOf(one.gateway, one.device, site);
      return { gateway: one.gateway, site, ...(asset && { asset }) };
    };
    const own = placed({ gateway, device });
    return own.asset && (other => this.areNear(own, placed(other)));
  }

  /** Plants have thousands of patterns, and are asked for thousands of devices at once. */
  #claimOn(gateway: string, device: string): Claim | undefined {
    if (device.length > longestName) return undefined;
    let best: Claim | undefined;
    for (const byDevice of this.#claims.of(gateway))
      for (const claims of byDevice.of(device)) {
        const found = claims.find(one => fits(one.device, device) && fits(one.gateway, gateway));
        if (found && (best === undefined || found.rank < best.rank)) best = found;
      }
    return best;
  }

  #configured(path: string, levels: ReturnType<typeof levelsOf>): Asset {
    const level = levels.get(path)!;
    const line = [path, ...abovePaths(path)].find(one => levels.get(one) === 'line') ?? unlisted(path, level);
    const criticality = this.#criticalityAt(path);
    return {
      path,
      level,
      ...(line !== undefined && { line }),
      ...(criticality !== undefined && criticality !== 'normal' && { criticality }),
    };
  }

  #inferred(gateway: string, device: string, site: string | null): Asset | undefined {
    const place = inferPlace(device, site);
    if (!place) return undefined;
    const root = site ?? gateway;
    const path = [root, ...place.labels].join('/');
    const line = place.line === 0 ? undefined : [root, ...place.labels.slice(0, place.line)].join('/');
    return {
      path,
      level: place.machine ? 'machine' : 'line',
      ...(line !== undefined && { line }),
      // A guess may make an alarm louder, never quieter.
      ...(this.#criticalityAt(path) === 'high' && { criticality: 'high' as const }),
      inferred: true,
    };
  }

  /** Its own, or that of the nearest asset above that has one. */
  #criticalityAt(path: string) {
    return [path, ...abovePaths(path)]
      .map(one => this.#assets.get(one)?.criticality)
      .find(one => one !== undefined);
  }
}

/** `north/line-2` of a machine whose line is not listed. */
function unlisted(path: string, level: Asset['level']): string | undefined {
  const [above] = abovePaths(path);
  return level === 'machine' && above?.includes('/') ? above : undefined;
}

function compare(a: number, b: number): number {
  return a === b ? 0 : a - b;
}
