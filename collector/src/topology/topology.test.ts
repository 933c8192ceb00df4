import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRng } from '@edgeward/shared/rng';
import type { z } from 'zod';
import { topologyConfig } from './config.js';
import { ByStart, exactness, fits } from './pattern.js';
import { isUnder, onSameLine, onSameMachine, type Placed } from './place.js';
import { Topology } from './topology.js';

type Input = z.input<typeof topologyConfig>;

function topologyOf(assets: Input['assets'], more: Partial<Input> = {}): Topology {
  return new Topology(topologyConfig.parse({ assets, ...more }));
}

function placed(topology: Topology, gateway: string, device: string, site: string | null = 'north'): Placed {
  const asset = topology.assetOf(gateway, device, site);
  return { gateway, site, ...(asset && { asset }) };
}

const plant = topologyOf([
  { path: 'north', criticality: 'low' },
  { path: 'north/line-2', criticality: 'high', devices: [{ device: 'conveyor-2' }] },
  {
    path: 'north/line-2/press-4',
    devices: [{ gateway: 'gw-1', device: 'press-4-*' }, { device: 'hydraulics' }],
  },
  { path: 'north/line-2/press-5', criticality: 'normal', devices: [{ device: 'press-*' }] },
  { path: 'north/mcc', level: 'machine', devices: [{ device: 'feed-1' }], feeds: ['north/line-2'] },
  { path: 'north/grid', level: 'machine', devices: [{ device: 'grid' }], feeds: ['north/mcc'] },
]);

test('a device belongs to the asset whose pattern says most of its name; criticality comes from above', () => {
  const press4 = {
    path: 'north/line-2/press-4',
    level: 'machine',
    line: 'north/line-2',
    criticality: 'high',
  };
  assert.deepEqual(plant.assetOf('gw-1', 'press-4-motor', null), press4);
  assert.equal(plant.assetOf('gw-2', 'press-4-motor', null)?.path, 'north/line-2/press-5');
  assert.equal(plant.assetOf('gw-2', 'press-5', null)?.criticality, undefined, 'normal');
  assert.deepEqual(plant.assetOf('gw-9', 'conveyor-2', 'south'), {
    path: 'north/line-2',
    level: 'line',
    line: 'north/line-2',
    criticality: 'high',
  });
  assert.equal(plant.assetOf('gw-1', 'grid', 'north')?.criticality, 'low');
});

test('who is near: machine, line, or along what feeds what', () => {
  const [motor, oil] = [placed(plant, 'gw-1', 'press-4-motor'), placed(plant, 'gw-7', 'hydraulics')];
  const [other, belt] = [placed(plant, 'gw-3', 'press-5'), placed(plant, 'gw-4', 'conveyor-2')];
  const [feed, grid] = [placed(plant, 'gw-5', 'feed-1'), placed(plant, 'gw-6', 'grid')];
  const stranger = placed(plant, 'gw-8', 'compressor');
  assert.ok(onSameMachine(motor, oil) && !onSameMachine(motor, other) && !onSameMachine(belt, belt));
  assert.ok(onSameLine(motor, other) && onSameLine(motor, belt) && !onSameLine(motor, feed));
  assert.ok(plant.feeds(feed, motor) && plant.feeds(grid, motor) && !plant.feeds(motor, feed));
  assert.ok(plant.areNear(motor, grid) && plant.areNear(oil, other) && !plant.areNear(motor, stranger));
});

test('what feeds each other in a ring ends too', () => {
  const ring = topologyOf([
    { path: 'a', devices: [{ device: 'a' }], feeds: ['b'] },
    { path: 'b', devices: [{ device: 'b' }], feeds: ['a'] },
    { path: 'c', devices: [{ device: 'c' }] },
  ]);
  assert.ok(ring.feeds(placed(ring, 'gw', 'a'), placed(ring, 'gw', 'b')));
  assert.ok(!ring.feeds(placed(ring, 'gw', 'c'), placed(ring, 'gw', 'b')));
});

test('what no asset has is told by its name, within its site, or its gateway where that is unknown', () => {
  const told = plant.assetOf('gw-1', 'line7-mill3-spindle', 'south');
  assert.deepEqual(told, {
    path: 'south/line-7/mill-3',
    level: 'machine',
    line: 'south/line-7',
    inferred: true,
  });
  const [one, other] = ['gw-1', 'gw-2'].map(gateway => placed(plant, gateway, 'line7-mill3-spindle', null));
  assert.ok(!onSameLine(one!, other!) && !onSameMachine(one!, other!));
  assert.equal(plant.assetOf('gw-1', 'compressor', 'north'), undefined);
  assert.equal(topologyOf([], { infer: false }).assetOf('gw', 'line7-mill3-spindle', 'south'), undefined);
});

test('a guess may make louder, never quieter', () => {
  const of = (criticality: 'high' | 'low') =>
    topologyOf([{ path: 'north/line-2', criticality }]).assetOf('gw', 'line2-press4-oil', 'north')
      ?.criticality;
  assert.deepEqual([of('high'), of('low')], ['high', undefined]);
});

test('another topology counts from then on; the same one changes nothing', () => {
  const topology = topologyOf([{ path: 'north/line-1', devices: [{ device: 'pump' }] }]);
  const next = topologyConfig.parse({ assets: [{ path: 'north/line-9', devices: [{ device: 'pump' }] }] });
  assert.equal(topology.assetOf('gw', 'pump', null)?.path, 'north/line-1');
  assert.deepEqual([topology.replace(next), topology.replace(structuredClone(next))], [true, false]);
  assert.equal(topology.assetOf('gw', 'pump', null)?.path, 'north/line-9');
});

test('what lies under a path', () => {
  const motor = placed(plant, 'gw-1', 'press-4-motor');
  for (const path of ['north', 'north/line-2', 'north/line-2/press-4']) assert.ok(isUnder(motor, path), path);
  for (const path of ['nor', 'north/line', 'north/line-2/press-4/x', 'south', ''])
    assert.ok(!isUnder(motor, path), path);
  assert.ok(isUnder({ gateway: 'gw-1', site: null }, 'gw-1'));
});

const refused: readonly [string, Input['assets'], RegExp][] = [
  ['an unknown level', [{ path: 'a', level: 'cell' as 'line' }], /level/],
  ['a path twice', [{ path: 'a/b' }, { path: 'a/b' }], /assets\[0\] has this path\. Remedy/],
  [
    'a pattern twice',
    [
      { path: 'a', devices: [{ device: 'x*' }] },
      { path: 'b', devices: [{ device: 'x*' }] },
    ],
    /never match: assets\[0\]\.devices\[0\]/,
  ],
  [
    'what no device can be called',
    [{ path: 'a', devices: [{ device: 'north/pump' }] }],
    /no gateway or device can have such a name/,
  ],
  ['an empty part', [{ path: 'a//b' }], /not a path\. Remedy/],
  ['too many parts', [{ path: 'a/b/c/d/e/f/g/h/i' }], /more than 8 parts/],
  [
    'something in a machine',
    [{ path: 'a/b', level: 'machine' }, { path: 'a/b/c' }],
    /cannot lie in a\/b, which is a machine/,
  ],
  ['a site in a line', [{ path: 'a/b' }, { path: 'a/b/c', level: 'site' }], /a site cannot lie in a\/b/],
  ['feeding nobody', [{ path: 'a', feeds: ['b'] }], /no asset with the path b/],
  ['feeding itself', [{ path: 'a', feeds: ['a'] }], /feed itself/],
];

for (const [what, assets, message] of refused)
  test(`refused: ${what}`, () => {
    const { error } = topologyConfig.safeParse({ assets });
    assert.match(
      error?.issues.map(issue => `${issue.path.join('.')}: ${issue.message}`).join('\n') ?? '',
      message,
    );
  });

test('lines may lie in lines', () => {
  const halls = topologyOf([
    { path: 'north/hall/line-2', devices: [{ device: 'belt' }] },
    { path: 'north/hall/line-2/press', devices: [{ device: 'press' }] },
    { path: 'north/hall' },
  ]);
  assert.ok(onSameLine(placed(halls, 'a', 'belt'), placed(halls, 'b', 'press')));
});

test('patterns fit as a slow, plain reading of them says', () => {
  const slow = (pattern: string, text: string): boolean => {
    if (pattern === '') return text === '';
    if (pattern[0] !== '*')
      return pattern[0] === text[0] && text !== '' && slow(pattern.slice(1), text.slice(1));
    return slow(pattern.slice(1), text) || (text !== '' && slow(pattern, text.slice(1)));
  };
  const rng = seededRng(7);
  const word = (letters: string, most: number) =>
    Array.from({ length: rng() * most }, () => letters[Math.floor(rng() * letters.length)]).join('');
  for (let i = 0; i < 5000; i++) {
    const [pattern, text] = [word('ab**', 7), word('ab', 7)];
    assert.equal(fits(pattern, text), slow(pattern, text), `seed 7: ${pattern} on ${text}`);
  }
  assert.equal(fits(`${'a*'.repeat(32)}b`, 'a'.repeat(10_000)), false);
});

test('of thousands of patterns only those are tried that a name begins as', () => {
  const index = new ByStart<string>();
  const patterns = [...Array.from({ length: 2000 }, (_, i) => `gw-${i}`), 'gw-1*', 'gw-2*', '*', '*-1'];
  for (const pattern of patterns) index.getOrMake(pattern, () => pattern);
  assert.deepEqual(index.of('gw-1').sort(), ['*', 'gw-1', 'gw-1*']);
  assert.deepEqual(index.of('gw-19999').sort(), ['*', 'gw-1*']);
  assert.deepEqual(index.of(''), ['*']);
});

test('of many patterns a device has the one that a plain look through all of them finds', () => {
  const rng = seededRng(11);
  const word = (letters: string) =>
    Array.from({ length: 1 + rng() * 4 }, () => letters[Math.floor(rng() * letters.length)]).join('');
  const unique = new Map<string, { gateway: string; device: string }>();
  for (let i = 0; i < 300; i++) {
    const one = { gateway: word('ab*'), device: word('ab*') };
    unique.set(`${one.gateway}/${one.device}`, one);
  }
  const patterns = [...unique.values()];
  const many = topologyOf(patterns.map((one, i) => ({ path: `m-${i}`, devices: [one] })));
  for (let i = 0; i < 2000; i++) {
    const [gateway, device] = [word('ab'), word('ab')];
    const best = patterns
      .map((one, at) => ({ at, ...one }))
      .filter(one => fits(one.gateway, gateway) && fits(one.device, device))
      .sort(
        (a, b) =>
          Number(exactness(b.device) > exactness(a.device)) -
            Number(exactness(b.device) < exactness(a.device)) ||
          Number(exactness(b.gateway) > exactness(a.gateway)) -
            Number(exactness(b.gateway) < exactness(a.gateway)) ||
          a.at - b.at,
      )[0];
    const found = many.assetOf(gateway, device, null)?.path;
    assert.equal(found, best && `m-${best.at}`, `seed 11: ${gateway}/${device}`);
  }
});

test('how many devices an asset has is told only where gateways and devices are spelled out', () => {
  const all = topologyOf([
    {
      path: 'a',
      devices: [
        { gateway: 'gw-1', device: 'x' },
        { gateway: 'gw-2', device: 'x' },
      ],
    },
    { path: 'b', devices: [{ device: 'y' }] },
    { path: 'c', devices: [{ gateway: 'gw-1', device: 'z*' }] },
  ]);
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map(path => all.devicesOf(path)),
    [2, undefined, undefined, undefined],
  );
});
