/** Two of one name: who stays, who is refused, and who is told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { topicOf } from '@edgeward/shared/topics';
import { Identities } from '../identity.js';
import { openBroker } from '../testing/a-broker.js';
import { gatewayWill, RawMqtt } from '../testing/raw-mqtt.js';

const limit = { timeout: 20_000 };
type Will = Parameters<typeof gatewayWill>[1];

async function meet(options: Parameters<typeof openBroker>[0] = {}) {
  const told: string[] = [];
  const at = await openBroker({
    onRefused: (gateway, reason) => told.push(`${gateway}: ${reason}`),
    onTakenOver: (gateway, outbox) => told.push(`${gateway} was of ${outbox}`),
    ...options,
  });
  const login = async (will: Will) => {
    const client = new RawMqtt(at.broker);
    const code = (await client.connect('gw-1', will && gatewayWill('gw-1', will)))?.returnCode;
    return { client, code };
  };
  return { ...at, told, login };
}

test(
  'the same process and a later start of it take over at once; a copy does not, and is told',
  limit,
  async () => {
    await using at = await meet();
    using first = (await at.login({ start: 5 })).client;
    const { client: again, code } = await at.login({ start: 5 });
    assert.equal(code, 0);
    await first.untilClosed();
    using later = (await at.login({ start: 6 })).client;
    await again.untilClosed();
    for (const copy of [{ start: 5 }, { start: 6, bits: 'b' }, { start: 6, bits: 'b' }]) {
      using refused = await at.login(copy).then(({ client, code }) => {
        assert.equal(code, 2, JSON.stringify(copy));
        return client;
      });
      await refused.untilClosed();
    }
    assert.ok(await later.publish(topicOf('gw-1', 'block')), 'the known one goes on');
    assert.equal(at.broker.refusals.get('identity'), 3);
    assert.equal(at.told.length, 1, 'once a minute is enough');
    assert.match(at.told[0]!, /^gw-1: it runs on an old copy of its outbox: start 5, but start 6 was here$/);
  },
);

test(
  'another outbox is refused while the known one is there or was just now; then it has the name',
  limit,
  async () => {
    const identities = new Identities(300);
    await using at = await meet({ identities });
    const came = performance.now();
    const { client: known } = await at.login({ outbox: 'old' });
    while (performance.now() - came < 350) assert.ok(await known.ping());
    assert.equal((await at.login({ outbox: 'new' })).code, 2);
    known.socket.destroy();
    await at.until(() => at.topics.includes(topicOf('gw-1', 'state')));
    assert.equal((await at.login({ outbox: 'new' })).code, 2);
    const deadline = performance.now() + 10_000;
    while ((await at.login({ outbox: 'new' })).code !== 0) assert.ok(performance.now() < deadline);
    assert.equal((await at.login({ outbox: 'old', start: 2 })).code, 2);
    assert.deepEqual(at.told.slice(-1), ['gw-1 was of old']);
  },
);

test('a simple publisher does not get the name of a gateway', limit, async () => {
  await using at = await meet();
  using gateway = (await at.login({})).client;
  assert.equal((await at.login(undefined)).code, 2);
  assert.ok(await gateway.ping());
});

test('what is refused for its password says nothing about who has the name', limit, async () => {
  await using at = await meet({ users: new Map([['gw-1', 'secret']]) });
  assert.equal((await at.login({ outbox: 'stranger' })).code, 4);
  assert.equal(at.broker.refusals.get('identity'), undefined);
});
