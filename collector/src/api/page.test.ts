import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Locator } from 'playwright-core';
import { anIncident } from '../testing/an-incident.js';
import { noBrowser } from '../testing/browser.js';
import { textContrast } from '../testing/contrast.js';
import { FakeViews } from '../testing/fake-views.js';
import { inkOf, pageTests, textOf, until } from '../testing/page.js';

interface Box {
  readonly left: number;
  readonly right: number;
}

/** Where the first of each is drawn, px from the left of the page. */
function boxes<const Selectors extends readonly string[]>(
  within: Locator,
  selectors: Selectors,
): Promise<{ [I in keyof Selectors]: Box }> {
  const found = selectors.map(async (selector): Promise<Box> => {
    const box = await within.locator(selector).first().boundingBox();
    assert.ok(box, `${selector} is not drawn`);
    return { left: box.x, right: box.x + box.width };
  });
  return Promise.all(found) as Promise<{ [I in keyof Selectors]: Box }>;
}

/** As near as pixels and borders allow. */
function near(found: number, wanted: number): void {
  assert.ok(Math.abs(found - wanted) < 0.04, `${found} is not about ${wanted}`);
}

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
  await s.page.locator('.alarm li').nth(3).waitFor();
  assert.match(await textOf(s.page.locator('.alarm li')), /vibration\nHigh at [\d.]+ mm\/s, usually/);
  assert.match(await textOf(s.page.locator('.advice')), /Listen to the bearing/);
  assert.match(await textOf(s.page.locator('.timeline')), /Opened/);
  await until(async () => (await inkOf(s.page, '.report canvas')).alarmed > 20, 'the onset is drawn');

  s.views.repair('gw-north-1', 'pump-1');
  await s.page.locator('.incident-state', { hasText: 'closed' }).waitFor();
  assert.deepEqual(s.troubles, []);
});

test(
  'an alarm is drawn: bars by share and side, values beside what is usual, the score beside its threshold',
  options,
  async () => {
    const views = new FakeViews();
    const hostile = '<img src=x onerror="document.title=1">';
    const { channels, ...found } = anIncident().detectors[0]!;
    const [high, low] = [channels[0]!, channels[1]!];
    const { expected: _, ...unknown } = low;
    const small = Array.from({ length: 7 }, (_, i) => ({ ...unknown, field: `small-${i}`, weight: 0.01 }));
    const limit = {
      ...unknown,
      field: hostile,
      of: `mean(${hostile}, 10m)`,
      limit: 2,
      direction: 'high',
    } as const;
    const incident = anIncident({
      asset: { path: `north/line-2/${hostile}`, level: 'machine', inferred: true },
      severity: 'warning',
      peakSeverity: 'critical',
      wording: { text: `${hostile} is likely (E1).\n\nflow is low (E2).`, model: hostile },
      detectors: [
        { ...found, channels: [...channels, ...small] },
        { ...found, detector: 'rule', source: hostile, channels: [limit] },
      ],
    });
    views.incident = () => incident;
    await using s = await stage(views);
    await s.go(`#/incident/${incident.id}`);
    const [model, rule] = [s.page.locator('.alarm').nth(0), s.page.locator('.alarm').nth(1)];
    await rule.waitFor();
    assert.match(
      await textOf(s.page.locator('.incident-state')),
      /warning\s*open, critical at its worst\s*north \/ line-2 \/ <img src=x .*> \/ pump-1/,
    );
    const wording = await textOf(s.page.locator('.wording-panel'));
    assert.match(wording, /Written by a language model \(<img.*\).*it decides nothing/);
    assert.match(wording, /<img.*> is likely \(E1\)\.\s+flow is low \(E2\)\./);
    assert.match(await textOf(model.locator('header')), /Model pump-3\s+score 0\.78, alarm from 0\.62 on/);
    const [gauge, fill, mark] = await boxes(model, ['.gauge', '.gauge .fill', '.gauge .mark']);
    near((fill.right - gauge.left) / (gauge.right - gauge.left), 0.78);
    near((mark.left + mark.right - 2 * gauge.left) / 2 / (gauge.right - gauge.left), 0.62);

    const rows = model.locator('li');
    assert.match(
      await textOf(rows.nth(0)),
      new RegExp(`${high.field}\\nHigh at 8\\.432 bar, usually 3\\.900 to 5\\.100\\s+▲ 55 %`),
    );
    assert.match(await textOf(rows.nth(1)), /flow\nLow at 3\.100 m³\/h, usually 18\.00 to 32\.00\s+▼ 31 %/);
    const [track, bar, band, dot] = await boxes(rows.nth(0), ['.bar-track', '.bar-fill', '.band', '.dot']);
    const middle = (track.left + track.right) / 2;
    near(bar.left / middle, 1);
    near((bar.right - bar.left) / (track.right - middle), 0.55);
    assert.ok(dot.left > band.right, 'far above what is usual');
    assert.equal(await rows.nth(0).locator('.dot').getAttribute('data-beyond'), 'high');
    const [lowBar] = await boxes(rows.nth(1), ['.bar-fill']);
    near(lowBar.right / middle, 1);
    const [usual, inside] = await boxes(rows.nth(3), ['.band', '.dot']);
    assert.ok(inside.left > usual.left && inside.right < usual.right + 10, 'where it usually is');

    assert.equal(await model.locator('li:visible').count(), 8);
    await model.locator('summary', { hasText: '3 more' }).focus();
    await s.page.keyboard.press('Enter');
    await until(async () => (await model.locator('li:visible').count()) === 11, 'the rest is unfolded');

    assert.match(
      await textOf(rule),
      /Rule <img.*mean\(<img src=x onerror=.*10m\)\nHigh at 3\.100 m³\/h, limit 2\.000/s,
    );
    assert.equal(await rule.locator('.gauge').isVisible(), false, 'a rule is no matter of degree');
    const [line, beyond] = await boxes(rule, ['li .limit', 'li .dot']);
    assert.ok(beyond.left > line.right, 'beyond the limit');
    assert.equal(await s.page.locator('.alarm img').count(), 0);
    assert.deepEqual(s.troubles, []);
  },
);

test('mails are shown as sent, in a frame that can run nothing', options, async () => {
  await using s = await stage(troubled());
  await s.go('#/mails');
  const frame = s.page.frameLocator('iframe');
  await frame.locator('h2', { hasText: 'pump-1' }).waitFor();
  assert.equal(await s.page.locator('iframe').getAttribute('sandbox'), '');
  assert.match(await textOf(s.page.locator('.letterhead')), /No SMTP server is configured/);
  const notices = s.page.locator('.notices li');
  assert.match(await textOf(notices.first()), /webhook pager: .*HTTP status 503/);
  await notices.first().locator('summary').click();
  await notices.first().locator('pre', { hasText: 'incident.opened' }).waitFor();
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
    'pipeline',
    'pipeline/gw-north-1',
    'events',
  ];
  for (const view of views) {
    await s.go(`#/${view}`);
    await s.page.locator('h1').waitFor();
    if (view === 'pipeline') await s.page.locator('tbody tr').first().waitFor();
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
      'pipeline',
      'pipeline/gw-north-1',
      'events',
    ]) {
      await s.go(`#/${view}`);
      await s.page.locator('h1').waitFor();
      if (view.startsWith('pipeline')) await s.page.locator('tbody tr, .charts canvas').first().waitFor();
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
    'pipeline',
    'pipeline/gw-north-1',
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
