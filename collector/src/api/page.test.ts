import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noBrowser } from '../testing/browser.js';
import { textContrast } from '../testing/contrast.js';
import { FakeViews } from '../testing/fake-views.js';
import { inkOf, pageTests, textOf, until } from '../testing/page.js';

const stage = pageTests();
const options = { skip: noBrowser(), timeout: 60_000 };

/** A past of two minutes that ends with a worn bearing, now. */
function troubled(): FakeViews {
  const views = new FakeViews({ demo: true, nowMs: Date.now() - 20_000 });
  views.inject('gw-north-1', 'pump-1', 'bearing-wear');
  views.advance(20_000);
  return views;
}

test('the fleet shows gateways and devices, and follows them live', options, async () => {
  await using s = await stage();
  const card = s.page.locator('.card', { hasText: 'gw-north-1' });
  await card.locator('.devices li').nth(1).waitFor();
  assert.equal(await s.page.locator('.card').count(), 3);
  assert.match((await textOf(card)).replace(/\s+/g, ' '), /online.*8\.0.*pump-1.*°C.*normal/);
  await until(async () => (await inkOf(s.page, '.devices .spark')).inked > 100, 'the score line is drawn');

  const score = card.locator('.devices .score').first();
  s.views.inject('gw-north-1', 'pump-1', 'leak');
  s.views.advance(20_000);
  await until(async () => Number(await textOf(score)) > 0.8, 'the score rises without a reload');
  await s.views.demo?.act({ action: 'cut', gateway: 'gw-cold-1' });
  s.views.advance(1000);
  await s.page.locator('.card[data-online=no]', { hasText: 'gw-cold-1' }).waitFor();
});

test('an empty fleet says what to do', options, async () => {
  await using s = await stage(new FakeViews({ empty: true }));
  for (const [hash, text] of [
    ['#/fleet', /Start an agent/],
    ['#/incidents', /No incident so far/],
    ['#/mails', /SMTP/],
    ['#/ledger', /as soon as a gateway has reported/],
    ['#/sinks', /No sink is configured/],
    ['#/events', /No event so far/],
    ['#/device/gw-1/none', /not known/],
    ['#/incident/none', /not known/],
  ] as const) {
    await s.go(hash);
    await s.page.locator('.empty:visible', { hasText: text }).waitFor();
  }
});

test('the plots of a device are drawn, marked where rows are flagged, and move on', options, async () => {
  await using s = await stage(troubled());
  await s.go('#/device/gw-north-1/pump-1');
  await s.page.locator('.chart').nth(5).waitFor();
  assert.deepEqual(await s.page.locator('.chart h3').allInnerTexts(), [
    'Anomaly score',
    'temperature°C',
    'vibrationmm/s',
    'pressurebar',
    'flowL/min',
    'currentA',
  ]);
  await until(
    async () => (await inkOf(s.page, '.chart.strip canvas')).alarmed > 100,
    'flagged rows are marked',
  );
  const label = () => s.page.locator('.chart.strip canvas').getAttribute('aria-label');
  const rows = async () => Number(/of (\d+) rows/.exec((await label()) ?? '')?.[1] ?? 0);
  assert.ok((await rows()) > 300, `${await label()}`);

  const before = await label();
  s.views.advance(2000);
  await until(async () => (await label()) !== before, 'new rows are drawn');
  const threeMinutes = await rows();
  await s.page.getByRole('button', { name: '1 min' }).click();
  await until(async () => (await rows()) < threeMinutes, 'one minute holds fewer rows than three');
  assert.deepEqual(s.troubles, []);
});

test('a device without anomalies has no mark', options, async () => {
  await using s = await stage(troubled());
  await s.go('#/device/gw-north-2/feed-1');
  await until(
    async () => (await inkOf(s.page, '.chart:nth-child(2) canvas')).inked > 500,
    'the plot is drawn',
  );
  assert.equal((await inkOf(s.page, '.chart:nth-child(2) canvas')).alarmed, 0);
});

test('an incident appears without a reload: announced once, counted, listed, opened', options, async () => {
  await using s = await stage();
  await s.go('#/incidents');
  await s.page.locator('.empty:visible').waitFor();
  s.views.inject('gw-north-1', 'pump-1', 'bearing-wear');
  s.views.advance(20_000);
  const row = s.page.locator('.row.incident', { hasText: 'pump-1' });
  await row.waitFor();
  assert.match(await textOf(s.page.locator('#announce')), /^New critical incident: .*pump-1 on gw-north-1$/);
  assert.equal(await textOf(s.page.locator('#open-count')), '1');
  assert.match(await s.page.title(), /^\(1\) /);
  assert.equal(await s.page.locator('.toast').count(), 1);

  await row.locator('a').click();
  await s.page.locator('.channels tbody tr').nth(3).waitFor();
  assert.match(await textOf(s.page.locator('.channels tbody')), /vibration.*mm\/s.*high/);
  assert.match(await textOf(s.page.locator('.advice')), /Listen to the bearing/);
  assert.match(await textOf(s.page.locator('.timeline')), /Opened/);
  await until(async () => (await inkOf(s.page, '.report canvas')).alarmed > 20, 'the onset is drawn');

  s.views.repair('gw-north-1', 'pump-1');
  await s.page.locator('.incident-state', { hasText: 'closed' }).waitFor();
  assert.deepEqual(s.troubles, []);
});

test('mails are shown as sent, in a frame that can run nothing', options, async () => {
  await using s = await stage(troubled());
  await s.go('#/mails');
  const frame = s.page.frameLocator('iframe');
  await frame.locator('h2', { hasText: 'pump-1' }).waitFor();
  assert.equal(await s.page.locator('iframe').getAttribute('sandbox'), '');
  assert.match(await textOf(s.page.locator('.letterhead')), /No SMTP server is configured/);
  assert.deepEqual(s.troubles, []);
});

test('the ledger adds up on the page too, and says so when it does not', options, async () => {
  await using s = await stage();
  await s.go('#/ledger');
  await s.page.locator('.verdict', { hasText: '✓ balanced' }).waitFor();
  const rows = await s.page.locator('.ledger tbody tr').allInnerTexts();
  assert.equal(rows.length, 9);
  for (const row of rows) {
    const [read = -1, ...parts] = row
      .split(/\s+/)
      .slice(1, 8)
      .map(text => Number(text.replaceAll(',', '')));
    assert.equal(
      read,
      parts.reduce((sum, part) => sum + part, 0),
      row,
    );
  }
  const { ledger } = s.views;
  s.views.ledger = () => {
    const good = ledger.call(s.views);
    return { ...good, balanced: false, devices: good.devices.map((one, i) => ({ ...one, balanced: i > 0 })) };
  };
  s.views.advance(1000);
  await s.page.locator('.verdict[data-bad]').waitFor();
  assert.equal(await s.page.locator('.ledger tr[data-bad]').count(), 1);
});

test('events and text of devices stay text', options, async () => {
  const views = new FakeViews();
  await using s = await stage(views);
  await s.go('#/events');
  const text = '<img src=x onerror="document.title=1"><b>bold</b>';
  views.tell({ gateway: 'gw-cold-1', kind: 'gap', text });
  const row = s.page.locator('.row.event');
  await row.waitFor();
  assert.match(await textOf(row), /<img src=x onerror=.*<b>bold<\/b>/);
  assert.equal(await s.page.locator('.row.event img').count(), 0);
});

test('the demo buttons act, and the page says what happened', options, async () => {
  await using s = await stage();
  const row = s.page.locator('.demo-rows li', { hasText: 'gw-north-2' });
  await row.locator('select').selectOption({ label: 'feed-1: power sag' });
  await row.getByRole('button', { name: /Inject/ }).click();
  await row.locator('.state', { hasText: 'power sag on feed-1' }).waitFor();
  await row.getByRole('button', { name: /^Cut/ }).click();
  await row.getByRole('button', { name: /^Heal/ }).click();
  await row.getByRole('button', { name: /^Cut/ }).waitFor();
  await row.getByRole('button', { name: /^Kill/ }).click();
  await s.page.locator('.demo-said', { hasText: 'kill -9 gw-north-2' }).waitFor();
  assert.deepEqual(s.views.actions, [
    { action: 'inject', gateway: 'gw-north-2', device: 'feed-1', fault: 'power-sag' },
    { action: 'cut', gateway: 'gw-north-2' },
    { action: 'heal', gateway: 'gw-north-2' },
    { action: 'kill', gateway: 'gw-north-2' },
  ]);
});

test('without the demo there is no demo bar', options, async () => {
  await using s = await stage(new FakeViews());
  await s.page.locator('.card').first().waitFor();
  assert.equal(await s.page.locator('#demo').isVisible(), false);
  assert.deepEqual(s.troubles, []);
});

test('everything can be reached by keyboard; focus shows and follows', options, async () => {
  await using s = await stage(new FakeViews());
  await s.page.locator('.devices a').first().waitFor();
  await s.page.keyboard.press('Tab');
  const focused = () => s.page.locator(':focus');
  assert.equal(await textOf(focused()), 'Skip to content');
  const box = await focused().boundingBox();
  assert.ok(box && box.y >= 0, 'the skip link is visible while focused');
  await s.page.keyboard.press('Enter');
  await until(async () => (await focused().getAttribute('id')) === 'main', 'the skip link skips');
  await s.page.keyboard.press('Tab');
  assert.match(await textOf(focused()), /^pump-1/);
  const outline = await s.page.evaluate('getComputedStyle(document.activeElement).outlineStyle');
  assert.equal(outline, 'solid');
  await s.page.keyboard.press('Enter');
  await s.page.locator('h1', { hasText: 'pump-1' }).waitFor();
  await until(async () => (await textOf(focused())) === 'pump-1', 'the focus is at the new view');
  assert.match(s.page.url(), /#\/device\/gw-north-1\/pump-1$/);
});

test('on a phone nothing is wider than the screen', options, async () => {
  const phone = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true };
  await using s = await stage(troubled(), phone);
  const incident = s.views.incidents(1)[0]?.id ?? '';
  const views = [
    'fleet',
    'device/gw-north-1/pump-1',
    'incidents',
    `incident/${incident}`,
    'mails',
    'ledger',
    'sinks',
    'events',
  ];
  for (const view of views) {
    await s.go(`#/${view}`);
    await s.page.locator('h1').waitFor();
    const width = await s.page.evaluate('document.documentElement.scrollWidth');
    assert.ok(Number(width) <= 360, `${view} is ${width} px wide`);
  }
  await s.go('#/fleet');
  await s.page.locator('#demo summary').click();
  await s.page.locator('.demo-rows li').first().waitFor();
  assert.ok(Number(await s.page.evaluate('document.documentElement.scrollWidth')) <= 360);
});

test('light and dark follow the system, live, plots included', options, async () => {
  await using s = await stage(troubled(), { colorScheme: 'light' });
  await s.go('#/device/gw-north-1/pump-1');
  const ground = () => s.page.evaluate('getComputedStyle(document.body).backgroundColor');
  const light = await ground();
  await until(
    async () => (await inkOf(s.page, '.chart.strip canvas')).alarmed > 100,
    'dark red marks on light',
  );
  await s.page.emulateMedia({ colorScheme: 'dark' });
  assert.notEqual(await ground(), light);
  // The alarm colour of the dark scheme is too bright to count as dark red.
  await until(async () => (await inkOf(s.page, '.chart.strip canvas')).alarmed < 20, 'plots are repainted');
});

test('contrast of all text is at least 4.5 in both schemes', options, async () => {
  for (const colorScheme of ['light', 'dark'] as const) {
    await using s = await stage(troubled(), { colorScheme });
    const incident = s.views.incidents(1)[0]?.id ?? '';
    await s.views.demo?.act({ action: 'cut', gateway: 'gw-cold-1' });
    s.views.tell({ gateway: 'gw-cold-1', kind: 'gap', text: 'rows lost at a kill' });
    for (const view of [
      'fleet',
      'device/gw-north-1/pump-1',
      `incident/${incident}`,
      'mails',
      'ledger',
      'sinks',
      'events',
    ]) {
      await s.go(`#/${view}`);
      await s.page.locator('h1').waitFor();
      const texts = await textContrast(s.page);
      assert.ok(texts.length > 15, `${view} has ${texts.length} texts`);
      const weak = texts.filter(text => text.ratio < 4.5);
      assert.deepEqual(weak, [], `${colorScheme} ${view}`);
    }
  }
});

test('a lost collector is said and found again; what was missed is there', options, async () => {
  const views = new FakeViews();
  await using s = await stage(views);
  await s.page.context().setOffline(true);
  await s.page.evaluate('window.stop()');
  await s.api.app.server.closeAllConnections();
  await s.page.locator('#lost:visible', { hasText: 'Connection to the collector lost' }).waitFor();
  views.inject('gw-cold-1', 'room-1', 'door-open');
  views.advance(20_000);
  await s.page.context().setOffline(false);
  await s.page.locator('#link[data-state=live]').waitFor();
  await s.page.locator('.trouble .row', { hasText: 'room-1' }).waitFor();
  assert.equal(await s.page.locator('#lost').isVisible(), false);
});

test('no error in the console and no request to anyone else, in any view', options, async () => {
  await using s = await stage(troubled());
  const incident = s.views.incidents(1)[0]?.id ?? '';
  for (const view of [
    'fleet',
    'device/gw-north-1/pump-1',
    `incident/${incident}`,
    'mails',
    'ledger',
    'sinks',
    'events',
  ]) {
    await s.go(`#/${view}`);
    await s.page.locator('h1').waitFor();
    s.views.advance(1000);
    await s.page.waitForLoadState('load');
  }
  assert.deepEqual(s.troubles, []);
  assert.deepEqual(s.strangers, []);
});
