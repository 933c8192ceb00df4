import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agentConfig } from '../config.js';

/** `field: message` of each issue, sources as they stand. */
function issuesOf(...sources: readonly object[]): string[] {
  const { error } = agentConfig.safeParse({ gateway: 'pi', sources });
  return (error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);
}

const http = (options: object) => ({ type: 'http', ...options });
const press = { deviceTypes: [{ name: 'press', fields: [{ name: 'force' }] }] };

test('nothing needs to be said to take readings of this machine', () => {
  assert.deepEqual(issuesOf(http({})), []);
  assert.deepEqual(issuesOf(http({ ...press, devices: [{ name: 'press-1', type: 'press' }] })), []);
  assert.deepEqual(issuesOf(http({ host: '0.0.0.0', token: { env: 'TOKEN' } })), []);
});

test('what cannot work is refused where it stands', () => {
  const cases: readonly (readonly [object, RegExp])[] = [
    [{ host: '0.0.0.0' }, /^sources.0.host: other machines can reach it, but there is no token. Remedy: /],
    [{ token: 'secret' }, /^sources.0.token: a secret does not stand in the configuration/],
    [{ ...press, devices: [{ name: 'p', type: 'pres' }] }, /^sources.0.devices.0.type: .*use one of press/],
    [{ deviceTypes: [{ name: 'press', fields: [] }] }, /^sources.0.deviceTypes.0.fields: /],
    [{ discover: 'nothing' }, /^sources.0.discover: no device is declared/],
    [{ maxWaitingBytes: 100_000 }, /^sources.0.maxWaitingBytes: .*maxBodyBytes/],
    [
      { ...press, devices: ['a', 'b'].map(name => ({ name, type: 'press' })), maxDevices: 1 },
      /^sources.0.maxDevices: there are 2 devices declared/,
    ],
    [
      { deviceTypes: [{ name: 'press', fields: [{ name: 'f', min: 2, max: 1 }] }] },
      /^sources.0.deviceTypes.0.fields.0.min: must be less than max/,
    ],
  ];
  for (const [options, expected] of cases) {
    const issues = issuesOf(http(options));
    assert.equal(issues.length, 1, issues.join('\n'));
    assert.match(issues[0]!, expected);
  }
});

test('a declared device is no other source’s', () => {
  const plant = { type: 'simulated', devices: [{ name: 'press-1', type: 'pump' }] };
  const pushed = http({ ...press, devices: [{ name: 'press-1', type: 'press' }] });
  assert.match(
    issuesOf(plant, pushed).join(),
    /^sources.1.devices.0.name: sources\[0\] reads this device already/,
  );
});
