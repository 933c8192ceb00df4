import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Identities } from '../identity.js';
import { gatewayWill } from '../testing/raw-mqtt.js';
import { GatewayPolicy, type Login } from './policy.js';

function login(outbox: string, connected = false): Login {
  const { will } = gatewayWill('gw-1', { outbox });
  return { name: 'gw-1', username: undefined, password: undefined, will, connected };
}

test('the wait for a name begins when its gateway leaves, not when it came', () => {
  let nowMs = 0;
  const identities = new Identities(300_000);
  const policy = new GatewayPolicy({ users: undefined, identities, now: () => nowMs });
  assert.ok('grant' in policy.admit(login('old')));
  nowMs = 1e9;
  assert.ok('reason' in policy.admit(login('new', true)));
  policy.left('gw-1');
  nowMs += 299_999;
  assert.ok('reason' in policy.admit(login('new')));
  nowMs += 1;
  const welcome = policy.admit(login('new'));
  assert.ok('grant' in welcome);
  assert.equal(welcome.tookOver, 'old');
});
