import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, configFromText, formatIssue, parseConfig } from '@edgeward/shared/config';
import { guessKind } from '@edgeward/shared/config/guess-kind';
import { agentConfig } from './config.js';

function issuesOf(sources: readonly string[], more = ''): string[] {
  const text = `gateway: pi\nsources:\n${sources.map(line => `  - ${line}\n`).join('')}${more}`;
  try {
    parseConfig(configFromText('a.yaml', text), agentConfig);
  } catch (error) {
    assert.ok(error instanceof ConfigError, `not a ConfigError: ${error}`);
    return error.issues.map(formatIssue);
  }
  return [];
}

const plant = (more: string) => `{ type: simulated, devices: [{ name: p, type: pump }]${more} }`;
const recording = (more: string) => `{ type: replay, path: x.csv, deviceType: t, ${more} }`;
const faults = (fault: string) => plant(`, faults: [{ atS: 1, durationS: 2, ${fault} }]`);

test('sources have names of their own', () => {
  assert.deepEqual(issuesOf([recording('name: a, device: d'), recording('name: a, device: e')]), [
    'a.yaml:4:55: sources[1].name: sources[0] has the name "a" already (value: "a"). Remedy: choose another name',
  ]);
});

test('no two sources name one device', () => {
  assert.deepEqual(issuesOf([plant(''), recording('device: p')]), [
    'a.yaml:4:57: sources[1].device: sources[0] reads this device already (value: "p"). Remedy: choose another name',
  ]);
  assert.deepEqual(issuesOf([recording('device: p'), plant('')]), [
    'a.yaml:4:42: sources[1].devices[0].name: sources[0] reads this device already (value: "p"). Remedy: choose another name',
  ]);
  // There the column has the names.
  assert.deepEqual(issuesOf([plant(''), recording('device: p, deviceColumn: machine')]), []);
  assert.deepEqual(
    issuesOf(['{ type: simulated, devices: [{ name: p, type: pump }, { name: p, type: pump }] }']),
    [
      'a.yaml:3:67: sources[0].devices[1].name: devices[0] has the name "p" already (value: "p"). Remedy: choose another name',
    ],
  );
});

test('faults that there cannot be are refused where they stand', () => {
  const cases: readonly (readonly [string, string])[] = [
    [
      'kind: leak, device: q',
      'sources[0].faults[0].device: not one of the devices of this source (value: "q"). Remedy: use one of p, or add it to devices',
    ],
    [
      'kind: door-open, device: p',
      'sources[0].faults[0].device: a pump cannot have the fault door-open (value: "p"). Remedy: name a device of type cold-room, or another kind of fault',
    ],
    [
      'kind: door-open',
      'sources[0].faults[0].kind: no device of this source can have it (value: "door-open"). Remedy: add a device of type cold-room to devices, or choose another',
    ],
    [
      'kind: gateway-offline, device: p',
      'sources[0].faults[0].device: gateway-offline concerns the whole gateway (value: "p"). Remedy: remove it',
    ],
    [
      'kind: leak, field: flow',
      'sources[0].faults[0].field: leak is no sensor fault (value: "flow"). Remedy: remove it',
    ],
  ];
  for (const [fault, expected] of cases) {
    const found = issuesOf([faults(fault)]);
    assert.deepEqual(
      found.map(line => line.replace(/^a\.yaml:3:\d+: /, '')),
      [expected],
    );
  }
  for (const fault of [
    'kind: leak',
    'kind: leak, device: p',
    'kind: drift, field: flow',
    'kind: gateway-offline',
  ])
    assert.deepEqual(issuesOf([faults(fault)]), []);
  assert.match(
    issuesOf([plant(', scenario: door-open')])[0] ?? '',
    /sources\[0\]\.scenario: no device .*cold-room/,
  );
  assert.deepEqual(issuesOf([plant(', scenario: mixed')]), []);
});

test('no remedy is a regular expression', () => {
  const found = issuesOf(
    [recording('device: "a b", delimiter: ab, columns: { v: "c d", w: [] }'), plant(', startTime: today')],
    'uplink: { url: "http://x", username: "u v" }\nsite: "n o"\n',
  );
  assert.equal(found.length, 8, found.join('\n'));
  for (const line of found) assert.doesNotMatch(line, /\^|\\d|\[A-Z|matching/, line);
});

test('edgeward check knows the file by any key that is its own', () => {
  const ofBoth = ['dataDir', 'log', 'metrics', 'trace'];
  for (const key of Object.keys(agentConfig.shape)) {
    if (!ofBoth.includes(key)) assert.equal(guessKind({ [key]: {} }), 'agent', key);
  }
});
