/** The view of the sinks, in a real browser. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noBrowser } from '../testing/browser.js';
import { inkOf, pageTests, textOf, until } from '../testing/page.js';

const stage = pageTests();
const options = { skip: noBrowser(), timeout: 60_000 };

test('each sink has its state, lag and failure, and they move without a reload', options, async () => {
  await using s = await stage();
  await s.go('#/sinks');
  const card = (name: string) => s.page.locator('.sink', { has: s.page.locator('h2', { hasText: name }) });
  await card('lake').waitFor();
  const words = async (name: string) => (await textOf(card(name))).replace(/\s+/g, ' ');
  assert.match(await words('kafka'), /receipts wait for it ● storing .*96 rows.*0\.3 s.*874,560 rows/);
  assert.match(await words('history'), /✗ failing .*154,080 rows.*27 min.*ECONNREFUSED 127\.0\.0\.1:8086/);
  assert.match(await words('history'), /next try in 1\d s/);
  assert.match(await words('history'), /It never got 480 rows/);
  assert.match(await words('lake'), /3 dead letters with 5 rows.*It has what came since /);
  assert.equal(await card('kafka').locator('.failure').isVisible(), false);

  for (const rows of [150_000, 90_000, 20_000, 0]) {
    s.views.sinks.set('history', { lag: { blocks: rows / 50, rows, seconds: rows / 100, notes: 0 } });
    s.views.advance(1000);
  }
  s.views.sinks.set('history', { state: 'running', failure: null });
  s.views.advance(1000);
  await card('history').locator('.online', { hasText: 'storing' }).waitFor();
  assert.match(await words('history'), /lag none behind –/);
  await until(async () => (await inkOf(s.page, '.sink:nth-child(2) .spark')).inked > 100, 'the lag is drawn');
  const label = await card('history').locator('.spark').getAttribute('aria-label');
  assert.match(label ?? '', /at most 154,080 rows$/);
  assert.deepEqual(s.troubles, []);
});

test('dead letters open with their reasons; Replay tries them and says what stays', options, async () => {
  await using s = await stage();
  await s.go('#/sinks');
  const lake = s.page.locator('.sink', { has: s.page.locator('h2', { hasText: 'lake' }) });
  await lake.locator('summary').click();
  await lake.locator('.letters li').nth(2).waitFor();
  assert.match(
    await textOf(lake.locator('.letters li').first()),
    /field type conflict.*3 rows of gw-north-1 · pump-1/s,
  );
  await lake.getByRole('button', { name: 'Replay dead letters of lake' }).click();
  await lake.locator('.said', { hasText: '2 stored, 1 still refused: field type conflict' }).waitFor();
  s.views.advance(1000);
  await lake.locator('summary', { hasText: '1 dead letter with 1 row' }).waitFor();
  await until(async () => (await lake.locator('.letters li').count()) === 1, 'the list follows');
  assert.deepEqual(s.views.sinks.asked, ['replay lake all']);
  assert.deepEqual(s.troubles, []);
});

test('a sink is paused and resumed, and receipts that wait for it are spoken of', options, async () => {
  await using s = await stage();
  await s.go('#/sinks');
  await s.page.getByRole('button', { name: 'Pause kafka' }).click();
  await until(() => s.views.sinks.asked.length === 1, 'the collector is asked');
  s.views.advance(1000);
  const kafka = s.page.locator('.sink[data-tone=warning]');
  await kafka.locator('.online', { hasText: 'paused' }).waitFor();
  assert.match(await textOf(kafka.locator('.remark')), /Gateways get no receipts/);
  await s.page.getByRole('button', { name: 'Resume kafka' }).click();
  await until(() => s.views.sinks.asked.length === 2, 'the collector is asked again');
  s.views.advance(1000);
  await s.page.getByRole('button', { name: 'Pause kafka' }).waitFor();
  assert.deepEqual(s.views.sinks.asked, ['pause kafka', 'resume kafka']);

  s.views.sinks.pause = () => Promise.reject(new Error('no such thing'));
  await s.page.getByRole('button', { name: 'Pause lake' }).click();
  const lake = s.page.locator('.sink', { has: s.page.locator('h2', { hasText: 'lake' }) });
  const said = lake.locator('.act .said');
  await until(async () => /could not answer/.test(await textOf(said)), 'a failure is said');
});

test('what servers say stays text', options, async () => {
  await using s = await stage();
  await s.go('#/sinks');
  const text = '<img src=x onerror="document.title=1">';
  s.views.sinks.set('history', {
    failure: { code: null, text, sinceMs: Date.now() - 1000, nextTryMs: null },
  });
  s.views.advance(1000);
  const why = s.page.locator('.failure .why', { hasText: '<img' });
  await why.waitFor();
  assert.equal(await textOf(why), text);
  assert.match(await textOf(s.page.locator('.failure .when-next').nth(1)), /being tried now/);
});
