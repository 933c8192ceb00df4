/** The view of the pipeline's own devices, in a real browser. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anIncident } from '../testing/an-incident.js';
import { noBrowser } from '../testing/browser.js';
import { FakeViews } from '../testing/fake-views.js';
import { inkOf, pageTests, textOf, until } from '../testing/page.js';

const stage = pageTests();
const options = { skip: noBrowser(), timeout: 60_000 };

test(
  'the collector, sinks and gateways are listed with state, delays per hop and a line; trouble comes first',
  options,
  async () => {
    await using s = await stage();
    await s.go('#/pipeline');
    const row = (name: string) => s.page.locator('tr', { has: s.page.locator('th a', { hasText: name }) });
    const words = async (name: string) => (await textOf(row(name))).replace(/\s+/g, ' ');
    await row('gw-north-1').waitFor();
    assert.match(
      await words('gw-north-1'),
      /● well.*1\.0 s.*8\.0.*40 ms · 80 ms.*10 ms · 40 ms · 5 ms.*1 %.*2\.0 s/,
    );
    assert.match(await words('collector'), /● well.*48.*20 ms · 200 ms.*75 GB/);
    assert.match(await words('kafka'), /● well.*300 ms.*48.*12 ms/);
    await until(
      async () => (await inkOf(s.page, 'tr:first-child .trend .spark')).inked > 100,
      'lines are drawn',
    );

    const names = () => s.page.locator('section:nth-of-type(3) tbody th').allTextContents();
    assert.deepEqual(await names(), ['gw-cold-1', 'gw-north-1']);
    s.views.raise(
      anIncident({
        ...{ id: 'i-pipe', gateway: '_pipeline', detector: 'pipeline', source: 'gateway-silent' },
        ...{
          device: 'gw-north-1',
          state: 'open',
          severity: 'warning',
          title: 'gateway gw-north-1 is silent',
        },
      }),
    );
    await row('gw-north-1').locator('.state a', { hasText: '▲ gateway gw-north-1 is silent' }).waitFor();
    assert.deepEqual(await names(), ['gw-north-1', 'gw-cold-1']);
    assert.deepEqual(s.troubles, []);
  },
);

test('a name leads to its rows over time; one that is not known says so', options, async () => {
  await using s = await stage();
  await s.go('#/pipeline');
  await s.page.getByRole('link', { name: 'gw-cold-1' }).click();
  await s.page.locator('h1', { hasText: 'gw-cold-1' }).waitFor();
  assert.match(s.page.url(), /#\/pipeline\/gw-cold-1$/);
  await until(async () => (await inkOf(s.page, '.charts canvas')).inked > 100, 'its plots are drawn');
  const plots = await s.page.locator('.chart').count();
  assert.ok(plots >= 5, `${plots} plots`);
  assert.equal(await s.page.locator('.chart.strip').count(), 0, 'nothing scores it');
  await s.go('#/pipeline/nobody');
  await s.page.locator('.empty', { hasText: 'This is not watched' }).waitFor();
  assert.deepEqual(s.troubles, []);
});

test('of a large fleet only so many are shown, and said to be', options, async () => {
  await using s = await stage(new FakeViews());
  for (let i = 0; i < 300; i++) s.views.pipeline.add(`gw-more-${i}`);
  await s.go('#/pipeline');
  await s.page.locator('.more', { hasText: 'And 102 more, all of them well.' }).waitFor();
});
