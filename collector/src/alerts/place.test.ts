/** Where in the plant incidents are. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AlertBench, pattern, temporaryFolder } from '../testing/alert-bench.js';
import { Tape } from '../testing/deliveries.js';
import { topologyConfig } from '../topology/config.js';
import { Topology } from '../topology/topology.js';

const topology = () =>
  new Topology(
    topologyConfig.parse({
      assets: [{ path: 'north/line-2/press-4', criticality: 'high', devices: [{ device: 'hydraulics' }] }],
    }),
  );
const devices = ['hydraulics', 'line3-mill1-spindle', 'pump-1'];
const trouble = (names: readonly string[]) =>
  new Tape({ seed: 1, devices: names }).block(names.flatMap(device => pattern(device, 'xxx')));

test('incidents and mails say where it is, by configuration or by name; what nobody knows stays as it was', async t => {
  const bench = await AlertBench.open(t, { topology: topology() });
  await bench.feed(trouble(devices));
  const of = (device: string) => bench.engine.list(10).find(one => one.device === device)!;
  assert.deepEqual(of('hydraulics').asset, {
    path: 'north/line-2/press-4',
    level: 'machine',
    line: 'north/line-2',
    criticality: 'high',
  });
  assert.equal(of('line3-mill1-spindle').asset?.path, 'north/line-3/mill-1');
  assert.equal(of('pump-1').asset, undefined);
  const mailOf = async (device: string) => (await bench.mails.body(`${of(device).id}-opened`))!;
  const known = await mailOf('hydraulics');
  assert.match(known.subject, /^\[\w+\] north\/line-2\/press-4 hydraulics: /);
  assert.match(known.text, /^Machine: +north \/ line-2 \/ press-4 \(criticality high\)$/m);
  assert.match(
    (await mailOf('line3-mill1-spindle')).text,
    /^Machine: +north \/ line-3 \/ mill-1, by its name$/m,
  );
  const unknown = await mailOf('pump-1');
  assert.match(unknown.subject, /^\[\w+\] north\/gw-1 pump-1: /);
  assert.doesNotMatch(unknown.text, /^(Machine|Line):/m);
});

test('incidents of a line or a site are those that lie under it', async t => {
  const bench = await AlertBench.open(t, { topology: topology() });
  await bench.feed(trouble(devices));
  const under = (path: string) => bench.engine.list(10, path).map(({ device }) => device);
  assert.deepEqual(under('north/line-2'), ['hydraulics']);
  assert.deepEqual(under('north/line-3/mill-1'), ['line3-mill1-spindle']);
  assert.equal(under('north').length, 3);
  assert.deepEqual(under('north/line'), []);
});

test('what an incident was told stays, over another topology and a restart', async t => {
  const directory = await temporaryFolder(t);
  const plant = topology();
  const bench = await AlertBench.open(t, { directory, topology: plant });
  await bench.feed(trouble(['hydraulics']));
  plant.replace(topologyConfig.parse({}));
  await bench[Symbol.asyncDispose]();
  const again = await AlertBench.open(t, { directory });
  assert.equal(again.engine.list(1)[0]?.asset?.path, 'north/line-2/press-4');
});

test('names that nobody should give are names, no places', async t => {
  const names = [
    'line-2/../../etc',
    'line2-press4-\u0000\u202e',
    `line2-press4-${'x'.repeat(10_000)}`,
    '/',
    '',
  ];
  const bench = await AlertBench.open(t, { topology: topology() });
  await bench.feed(trouble(names));
  const found = bench.engine.list(10);
  assert.equal(found.length, names.length);
  for (const { asset } of found) assert.equal(asset, undefined);
});
