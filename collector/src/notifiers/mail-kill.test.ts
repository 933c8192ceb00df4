/** The process dies between any two writes: no mail is lost, and at most one comes twice for each death. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { temporaryFolder } from '../testing/alert-bench.js';
import { anIncident } from '../testing/an-incident.js';
import { configFor, mailProcess, mailServer, type Received } from '../testing/mail-server.js';
import { dead, MortalStore } from '../testing/mortal-store.js';
import type { MailView } from '../views.js';
import type { ChartMaker } from './charts.js';
import type { MailQueue } from './mail-queue.js';

const noonMs = Date.UTC(2026, 0, 1, 12);
const morningMs = noonMs + 3_600_000;
const quietHours = { from: '12:00', to: '13:00', timeZone: 'UTC' };
const charts: ChartMaker = { chartOf: async () => ({ png: 'AAAA', alt: 'x', width: 1, height: 1 }) };

function when(queue: MailQueue, isSo: (mails: readonly MailView[]) => boolean): Promise<void> {
  return new Promise(resolve => {
    const look = () => {
      if (isSo(queue.list(100))) resolve();
    };
    queue.onChange(look);
    look();
  });
}

const allDone = (mails: readonly MailView[]) =>
  mails.every(({ state }) => state === 'sent' || state === 'merged');
const criticalSent = (mails: readonly MailView[]) =>
  mails.some(({ id, state }) => id === 'inc-2-opened' && state === 'sent');

/** By message id: doubles fall together. */
function byId(received: readonly Received[]): Map<string, string> {
  return new Map(received.map(({ raw }) => [/^Message-ID: <([^>]+)>/m.exec(raw)?.[1] ?? '', raw]));
}

const names = ['alpha', 'beta', 'gamma'] as const;
const severities = ['warning', 'critical', 'info'] as const;

test('killed after any write of a night and its morning', { timeout: 60_000 }, async t => {
  const server = await mailServer(t);
  const config = configFor(server.port, { quietHours, to: ['shift@plant.example'] });
  const night = names.map((title, i) =>
    anIncident({ id: `inc-${i + 1}`, severity: severities[i]!, title, gateway: 'gw', device: 'pump' }),
  );
  let digests = 0;
  let deaths = 0;
  for (let writes = 0; writes < 12; writes += 2) {
    server.received.length = 0;
    const folder = await temporaryFolder(t);
    // It dies in the night, then again in the morning, and then lives on.
    const lives = [
      { nowMs: noonMs, writes, isOver: criticalSent },
      { nowMs: morningMs, writes: writes % 7, isOver: allDone },
      { nowMs: morningMs, writes: Number.POSITIVE_INFINITY, isOver: allDone },
    ];
    for (const life of lives) {
      const store = new MortalStore(folder, life.writes);
      const clock = new FakeClock({ nowMs: life.nowMs });
      const mails = await mailProcess(t, folder, config, { charts, clock, store });
      store.died.signal.addEventListener('abort', () => void mails.stop());
      try {
        for (const incident of night) await mails.put('opened', incident);
        await Promise.race([when(mails.queue, life.isOver), dead(store)]);
      } catch (error) {
        // The journal's consumer hands it in again.
        if (!store.died.signal.aborted) throw error;
      }
      await mails.stop();
      if (store.died.signal.aborted) deaths += 1;
    }
    const mails = byId(server.received);
    const where = `killed after ${writes} writes: ${[...mails.keys()].join(' ')}`;
    for (const name of names) {
      const telling = [...mails.values()].filter(raw => raw.includes(name));
      assert.equal(telling.length, 1, `${name} is told once; ${where}`);
    }
    assert.ok(server.received.length <= mails.size + 2, where);
    if ([...mails.keys()].some(id => id.startsWith('digest'))) digests += 1;
  }
  assert.ok(digests >= 3 && deaths >= 6, `${digests} digests, ${deaths} deaths`);
});
