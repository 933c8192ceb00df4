/**
 * What every notifier owes, whatever it speaks: an outage delays and neither drops nor doubles. Each runs over a real
 * server on loopback through its own queue, courier and store.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { temporaryFolder } from '../testing/alert-bench.js';
import { anIncident } from '../testing/an-incident.js';
import { putInto } from '../testing/mail-server.js';
import { dead, MortalStore } from '../testing/mortal-store.js';
import { type RigProcess, rigs, type Standing } from '../testing/notifier-rigs.js';
import type { MailKind } from './mail.js';
import { Outlets } from './outlet.js';

const limit = { timeout: 30_000 };
const kinds: readonly MailKind[] = ['opened', 'critical', 'closed'];
const one = anIncident({ id: 'inc-0000000000000001' });
const other = anIncident({ id: 'inc-0000000000000002' });
const isSent = ({ state }: Standing) => state === 'sent';
const isDelayed = ({ reason }: Standing) => reason !== null;

/** As `put` does for a whole life: what cannot be stored is handed in again in the next one. */
async function tell(process: RigProcess): Promise<void> {
  for (const kind of kinds) for (const incident of [one, other]) await process.put(kind, incident);
}

for (const [name, start] of Object.entries(rigs)) {
  test(`${name}: each once and in order, and nothing again after a restart`, limit, async t => {
    const rig = await start(t, await temporaryFolder(t));
    const first = await rig.process();
    await tell(first);
    for (const { id } of [one, other]) await first.until(`${id}-closed`, isSent);
    await first.stop();
    const second = await rig.process();
    await tell(second);
    await second.put('opened', anIncident({ id: 'inc-0000000000000003' }));
    await second.until('inc-0000000000000003-opened', isSent);
    const ids = rig.received().map(told => told.id);
    assert.equal(ids.length, 7);
    for (const { id } of [one, other]) {
      const wanted = kinds.map(kind => rig.idOf(id, kind));
      assert.deepEqual(
        ids.filter(told => wanted.includes(told)),
        wanted,
      );
    }
  });

  test(`${name}: an outage delays, over a restart too`, limit, async t => {
    const rig = await start(t, await temporaryFolder(t));
    await rig.down();
    const first = await rig.process();
    await tell(first);
    const delayed = await first.until(`${one.id}-opened`, isDelayed);
    assert.equal(delayed.state, 'queued');
    await first.stop();
    const second = await rig.process();
    await second.until(`${other.id}-opened`, isDelayed);
    await rig.up();
    for (const { id } of [one, other]) await second.until(`${id}-closed`, isSent);
    const wanted = kinds.map(kind => rig.idOf(one.id, kind));
    const ids = rig.received().map(told => told.id);
    assert.deepEqual(
      ids.filter(id => wanted.includes(id)),
      wanted,
    );
    assert.equal(ids.length, 6);
  });

  test(`${name}: one on which the server hangs holds up no other incident`, limit, async t => {
    const rig = await start(t, await temporaryFolder(t));
    rig.hangsOn = one.id;
    const process = await rig.process();
    await tell(process);
    await process.until(`${other.id}-closed`, isSent);
    assert.deepEqual(process.list().filter(isSent).length, 3, 'nothing of the one overtakes what hangs');
    rig.hangsOn = undefined;
    await process.until(`${one.id}-closed`, isSent);
    assert.equal(new Set(rig.received().map(({ id }) => id)).size, 6);
  });

  test(`${name}: refused for now is tried again, refused for good is told at once`, limit, async t => {
    const rig = await start(t, await temporaryFolder(t));
    const process = await rig.process();
    rig.faults.push('temporary', 'temporary');
    await process.put('opened', one);
    await process.until(`${one.id}-opened`, isSent);
    assert.equal(rig.tries(), 3);
    rig.faults.push('permanent');
    await process.put('critical', one);
    const refused = await process.until(`${one.id}-critical`, ({ state }) => state === 'failed');
    assert.match(refused.reason ?? '', /400|no/);
    await process.put('closed', one);
    await process.until(`${one.id}-closed`, isSent);
    assert.equal(rig.tries(), 5);
    assert.deepEqual(
      rig.received().map(({ id }) => id),
      [rig.idOf(one.id, 'opened'), rig.idOf(one.id, 'closed')],
    );
  });

  test(`${name}: whoever is not let in for a while loses nothing`, limit, async t => {
    const rig = await start(t, await temporaryFolder(t));
    rig.faults.push('barred', 'barred', 'barred');
    const process = await rig.process();
    await tell(process);
    for (const { id } of [one, other]) await process.until(`${id}-closed`, isSent);
    assert.equal(new Set(rig.received().map(({ id }) => id)).size, 6);
  });

  test(`${name}: cut before the answer: sent once more, with the same id and text`, limit, async t => {
    const rig = await start(t, await temporaryFolder(t));
    rig.faults.push('cut');
    const process = await rig.process();
    await process.put('opened', one);
    await process.until(`${one.id}-opened`, isSent);
    const [first, second, ...more] = rig.received();
    assert.deepEqual(more, []);
    assert.deepEqual(second, first);
    assert.equal(first?.id, rig.idOf(one.id, 'opened'));
  });

  test(
    `${name}: killed after any write: all arrives, and one double at most for each death`,
    limit,
    async t => {
      let deaths = 0;
      for (let writes = 0; writes < 13; writes += 3) {
        const folder = await temporaryFolder(t);
        const rig = await start(t, folder);
        for (const left of [writes, (writes * 5) % 7, Number.POSITIVE_INFINITY]) {
          const store = new MortalStore(folder, left);
          const process = await rig.process({ store });
          store.died.signal.addEventListener('abort', () => void process.stop());
          try {
            await tell(process);
            const all = [one, other].map(({ id }) => process.until(`${id}-closed`, isSent));
            await Promise.race([Promise.all(all), dead(store)]);
          } catch (error) {
            if (!store.died.signal.aborted) throw error;
          }
          await process.stop();
          if (store.died.signal.aborted) deaths += 1;
        }
        const ids = rig.received().map(({ id }) => id);
        const wanted = [one, other].flatMap(({ id }) => kinds.map(kind => rig.idOf(id, kind)));
        assert.deepEqual([...new Set(ids)].sort(), wanted.sort(), `killed after ${writes} writes`);
        assert.ok(ids.length <= 6 + 2, `${ids.length} after ${writes} writes`);
      }
      assert.ok(deaths >= 5, `${deaths} deaths`);
    },
  );

  test(`${name}: no secret in logs, views and bodies, however it fails`, limit, async t => {
    const lines: string[] = [];
    const log = pino({ level: 'trace' }, { write: line => void lines.push(line) });
    const rig = await start(t, await temporaryFolder(t));
    const process = await rig.process({ log });
    rig.faults.push('hang', 'cut', 'temporary', 'permanent');
    await process.put('opened', one);
    await process.until(`${one.id}-opened`, ({ state }) => state === 'failed' || state === 'sent');
    await rig.down();
    await process.put('critical', one);
    await process.until(`${one.id}-critical`, isDelayed);
    const body = await process.body(`${one.id}-critical`);
    const all = [...lines, JSON.stringify(process.list()), JSON.stringify(body)].join('\n');
    assert.ok(lines.length >= 4 && body, all);
    for (const secret of rig.secrets) assert.ok(!all.includes(secret), `${secret} in ${all}`);
  });
}

test('a dead notifier holds up no other', limit, async t => {
  for (const down of Object.keys(rigs)) {
    const all = await Promise.all(
      Object.entries(rigs).map(async ([name, start]) => ({
        name,
        rig: await start(t, await temporaryFolder(t)),
      })),
    );
    const store = new MortalStore(await temporaryFolder(t), Number.POSITIVE_INFINITY);
    const processes = [];
    for (const { name, rig } of all) {
      if (name === down) await rig.down();
      processes.push({ name, process: await rig.process({ store }) });
    }
    const outlets = new Outlets(processes.map(({ process }) => process.outlet));
    for (const kind of kinds) await putInto(outlets, store, kind, one);
    for (const { name, process } of processes) {
      if (name === down) await process.until(`${one.id}-opened`, isDelayed);
      else await process.until(`${one.id}-closed`, isSent);
    }
  }
});
