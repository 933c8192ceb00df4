import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@edgeward/shared/log';
import { Live } from '../live.js';
import { afterwards, forestFlag } from '../testing/alert-bench.js';
import { anIncident } from '../testing/an-incident.js';
import { Tape } from '../testing/deliveries.js';
import { drawPlot } from './chart-svg.js';
import { Charts } from './charts.js';
import { Painter } from './painter.js';
import { plotOf, plotSpec } from './plot.js';

const startMs = Date.UTC(2026, 0, 1);
const limit = { timeout: 30_000 };

/** Ten minutes of rows, one a second, those from the 500th on flagged. */
function plant() {
  const live = new Live();
  const tape = new Tape({ seed: 3, devices: ['pump-1'] });
  const rows = Array.from({ length: 600 }, (_, i) => ({
    device: 'pump-1',
    pressure: i < 500 ? 4.5 : 8.4,
    ...(i >= 500 && { flag: forestFlag() }),
  }));
  live.add([tape.block(rows)]);
  const [pressure, flow] = anIncident().channels;
  const incident = anIncident({
    gateway: 'gw-1',
    device: 'pump-1',
    firstMs: startMs + 500_000,
    lastMs: startMs + 599_000,
    channels: [
      { ...pressure!, field: 'discharge_pressure' },
      { ...flow!, field: 'flow' },
    ],
  });
  return { live, incident };
}

test('shows the main channels from before the beginning on, with their usual range and what was flagged', () => {
  const { live, incident } = plant();
  const plot = plotOf(plotSpec(incident)!, live.get('gw-1', 'pump-1'));
  assert.ok(plot);
  assert.deepEqual(
    plot.panels.map(({ name, unit, expected }) => [name, unit, expected]),
    [
      ['discharge_pressure', 'bar', [3.9, 5.1]],
      ['flow', 'm3/h', [18, 32]],
    ],
  );
  assert.ok(plot.time[0]! <= incident.firstMs - 120_000);
  assert.equal(plot.time.at(-1), incident.lastMs);
  for (const [i, ms] of plot.time.entries()) assert.equal(plot.flagged[i], ms >= incident.firstMs);
  const pressures = plot.panels[0]!.values;
  assert.equal(pressures[0], 4.5);
  assert.equal(pressures.at(-1), 8.4);

  const { svg, alt } = drawPlot(plot);
  assert.equal([...svg.matchAll(/<rect x="52"/g)].length, 2, 'a usual range in each');
  assert.equal([...svg.matchAll(/<path d="M[\d.]+ 0V/g)].length, 2, 'the beginning in each');
  const flags = plot.flagged.filter(Boolean).length;
  assert.equal([...svg.matchAll(/<circle [^>]*r="2.4"/g)].length, 2 * flags);
  assert.match(alt, /^Chart of discharge_pressure, flow from 00:0\d:\d\d to 00:09:59 UTC$/);
});

test('a device that sends once a minute is shown with as many rows, not with two', () => {
  const live = new Live();
  const rows = Array.from({ length: 50 }, () => ({ device: 'pump-1' }));
  live.add([new Tape({ seed: 1, devices: ['pump-1'], stepMs: 60_000 }).block(rows)]);
  const [channel] = anIncident().channels;
  const at = startMs + 45 * 60_000;
  const incident = anIncident({ firstMs: at, lastMs: at, channels: [{ ...channel!, field: 'flow' }] });
  const plot = plotOf(plotSpec({ ...incident, gateway: 'gw-1' })!, live.get('gw-1', 'pump-1'));
  assert.ok(plot && plot.time.length >= 40, `${plot?.time.length} rows`);
});

test('nothing is drawn where there is nothing to draw', async t => {
  const { live, incident } = plant();
  const charts = new Charts(live, silentLogger);
  afterwards(t, () => charts[Symbol.asyncDispose]());
  assert.equal(plotSpec({ ...incident, channels: [] }), undefined);
  const spec = plotSpec(incident)!;
  assert.equal(await charts.chartOf({ ...spec, device: 'gone' }, 1000), undefined);
  const longAgo = { ...spec, firstMs: 0, lastMs: 1000 };
  assert.equal(await charts.chartOf(longAgo, 1000), undefined);
  assert.equal(await charts.chartOf({ ...spec, channels: [{ field: 'gone', unit: null }] }, 1000), undefined);
});

test(
  'makes a PNG in a process of its own, the same for the same data, and none if there is no time',
  limit,
  async t => {
    const { live, incident } = plant();
    const charts = new Charts(live, silentLogger);
    afterwards(t, () => charts[Symbol.asyncDispose]());
    const chart = await charts.chartOf(plotSpec(incident)!, 20_000);
    assert.ok(chart);
    const png = Buffer.from(chart.png, 'base64');
    assert.equal(png.subarray(1, 4).toString(), 'PNG');
    assert.equal(png.readUInt32BE(16), 2.5 * chart.width);
    assert.equal(png.readUInt32BE(20), 2.5 * chart.height);
    assert.ok(png.length > 5000 && png.length < 200_000, `${png.length} bytes`);
    assert.deepEqual(await charts.chartOf(plotSpec(incident)!, 20_000), chart);
    assert.equal(await charts.chartOf(plotSpec(incident)!, 0), undefined);
    assert.deepEqual(
      await charts.chartOf(plotSpec(incident)!, 20_000),
      chart,
      'the next one has a new process',
    );
  },
);

test('no name breaks the drawing', limit, async t => {
  const { live, incident } = plant();
  const plot = plotOf(plotSpec(incident)!, live.get('gw-1', 'pump-1'))!;
  const painter = new Painter();
  afterwards(t, () => painter[Symbol.asyncDispose]());
  const names = ['</text><script>', ']]>', '&#0;', '\ud800', '\uffff', '\u0000', '漢字 سلام', '"\'`', '<!--'];
  const panels = names.map(name => ({ ...plot.panels[0]!, name, unit: name }));
  const { svg } = drawPlot({ ...plot, panels });
  assert.doesNotMatch(svg, /<script|<!--/);
  assert.ok((await painter.paint(svg, 20_000)).length > 1000);
});

test('values that are missing, infinite in span or all alike are drawn without harm', () => {
  const time = [1, 2, 3, 4];
  const flagged = time.map(() => false);
  const draw = (values: (number | null)[], expected?: readonly [number, number]) =>
    drawPlot({
      firstMs: 2,
      time,
      flagged,
      panels: [{ name: 'x', unit: null, expected, limit: undefined, values }],
    }).svg;
  assert.match(draw([null, null, null, null]), /no values/);
  for (const values of [
    [5, 5, 5, 5],
    [0, 0, 0, 0],
    [-1e300, 1e300, null, 0],
    [1e-300, 2e-300, 0, 1e-300],
  ])
    for (const expected of [undefined, [3, 9] as const])
      assert.doesNotMatch(draw(values, expected), /NaN|Infinity/);
});
