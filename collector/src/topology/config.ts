import { z } from 'zod';

export const levels = ['site', 'line', 'machine'] as const;
export type Level = (typeof levels)[number];

/** How much depends on it. */
export const criticalities = ['high', 'normal', 'low'] as const;
export type Criticality = (typeof criticalities)[number];

const mostSegments = 8;
const segment = /^[\p{L}\p{N}](?:[\p{L}\p{N} ._-]{0,58}[\p{L}\p{N}._-])?$/u;

const pathOption = () =>
  z.string().superRefine((path, context) => {
    const segments = path.split('/');
    const wrong =
      segments.length > mostSegments
        ? `more than ${mostSegments} parts`
        : segments.some(one => !segment.test(one)) && 'not a path';
    if (wrong)
      context.addIssue({
        code: 'custom',
        message: `${wrong}. Remedy: write site/line/machine: up to ${mostSegments} parts with / between them, each of up to 60 letters, digits, spaces, dots, dashes and underscores`,
      });
  });

const patternOption = () =>
  z.string().regex(/^(?=.{1,64}$)[A-Za-z0-9*][A-Za-z0-9_.*-]*$/, {
    error:
      'no gateway or device can have such a name. Remedy: use up to 64 letters, digits, dots, dashes and underscores, and * for any of them',
  });

const deviceOption = z.strictObject({
  gateway: patternOption()
    .default('*')
    .meta({ description: 'Gateways, by name; * stands for anything', examples: ['gw-1'] }),
  device: patternOption()
    .default('*')
    .meta({ description: 'Their devices, by name', examples: ['press-4-*'] }),
});

const assetOption = z.strictObject({
  path: pathOption().meta({
    description: 'Where it is: the site first, / between the parts',
    examples: ['north/line-2/press-4'],
  }),
  level: z.enum(levels).optional().meta({
    description:
      'What it is. Absent: a site where the path has one part, a line where it has two or other assets lie below it, a machine else',
  }),
  criticality: z.enum(criticalities).optional().meta({
    description:
      'How much depends on it: high becomes critical sooner, low only where a rule says so. Absent: as that of the asset above, or normal',
  }),
  devices: z.array(deviceOption).max(1000).default([]).meta({ description: 'Devices that belong to it' }),
  feeds: z
    .array(pathOption())
    .max(100)
    .default([])
    .meta({
      description:
        'Paths of assets that get power, water, … from it: what goes wrong here may be the cause of what goes wrong there',
      examples: [['north/line-2']],
    }),
});
export type AssetOptions = z.output<typeof assetOption>;

export const topologyConfig = z
  .strictObject({
    infer: z.boolean().default(true).meta({
      description: 'Take line and machine from names (line2-press4-pump) where no asset has the device',
    }),
    assets: z
      .array(assetOption)
      .max(5000)
      .default([])
      .meta({ description: 'Lines and machines, in any order' }),
  })
  .superRefine(({ assets }, context) => {
    const issue = (path: (string | number)[], message: string) =>
      context.addIssue({ code: 'custom', path: ['assets', ...path], message });
    const at = new Map<string, number>();
    const patterns = new Map<string, string>();
    for (const [i, { path, devices }] of assets.entries()) {
      const first = at.get(path);
      if (first !== undefined)
        issue([i, 'path'], `assets[${first}] has this path. Remedy: put both together`);
      else at.set(path, i);
      for (const [d, { gateway, device }] of devices.entries()) {
        const key = `${gateway}/${device}`;
        const taken = patterns.get(key);
        patterns.set(key, taken ?? `assets[${i}].devices[${d}]`);
        if (taken)
          issue(
            [i, 'devices', d],
            `it can never match: ${taken} takes the same devices. Remedy: leave one out`,
          );
      }
    }
    const levelAt = levelsOf(assets);
    const known = new Set(assets.flatMap(({ path }) => [path, ...abovePaths(path)]));
    for (const [i, { path, level, feeds }] of assets.entries()) {
      const above = [...abovePaths(path)].find(one => at.has(one));
      const upper = above === undefined ? undefined : levelAt.get(above);
      if (upper !== undefined && !mayContain(upper, levelAt.get(path)!))
        issue(
          [i, level === undefined ? 'path' : 'level'],
          `a ${levelAt.get(path)} cannot lie in ${above}, which is a ${upper}. Remedy: give level to one of them`,
        );
      for (const [f, fed] of feeds.entries()) {
        const within = fed === path || fed.startsWith(`${path}/`) || path.startsWith(`${fed}/`);
        if (within)
          issue([i, 'feeds', f], 'it cannot feed itself, or what it lies in. Remedy: name another asset');
        else if (!known.has(fed))
          issue(
            [i, 'feeds', f],
            `there is no asset with the path ${fed}, nor below it. Remedy: add it to assets`,
          );
      }
    }
  });
export type TopologyConfig = z.output<typeof topologyConfig>;

/** Of assets that are configured, by path. */
export function levelsOf(assets: readonly AssetOptions[]): Map<string, Level> {
  const enclosing = new Set(assets.flatMap(({ path }) => [...abovePaths(path)]));
  return new Map(
    assets.map(({ path, level }) => {
      const depth = path.split('/').length;
      const usual = depth === 1 ? 'site' : depth === 2 || enclosing.has(path) ? 'line' : 'machine';
      return [path, level ?? usual];
    }),
  );
}

/** `north/line-2` and `north` of `north/line-2/press-4`. */
export function* abovePaths(path: string): Generator<string> {
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1))
    yield path.slice(0, end);
}

/** Lines may lie in lines (halls, areas); nothing lies in a machine. */
function mayContain(upper: Level, lower: Level): boolean {
  return upper === 'site' ? lower !== 'site' : upper === 'line' && lower !== 'site';
}
