/** One event on several gateways, by what is known of the plant. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Delivery } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import type { Diagnosis } from '../diagnosis/diagnosis.js';
import { aDiagnosis } from '../testing/a-diagnosis.js';
import {
  AlertBench,
  type BenchOptions,
  forestFlag,
  pattern,
  ruleFlag,
  temporaryFolder,
} from '../testing/alert-bench.js';
import { type RowSpec, Tape } from '../testing/deliveries.js';
import { topologyConfig } from '../topology/config.js';
import { Topology } from '../topology/topology.js';
import type { AlertsConfig } from './config.js';
import type { Incident } from './incident.js';

const [first] = aDiagnosis().causes;
const causes = {
  sag: { ...first!, id: 'sag', component: 'power supply', shared: true as const },
  bearing: { ...first!, id: 'bearing', component: 'bearing' },
  leak: { ...first!, id: 'leak', component: 'pipe' },
  mildLeak: { ...first!, id: 'leak', component: 'pipe', severity: 'warning' as const },
  overload: { ...first!, id: 'overload', component: 'power supply' },
  mild: {
    ...first!,
    id: 'sag',
    component: 'power supply',
    severity: 'warning' as const,
    shared: true as const,
  },
};
type Said = keyof typeof causes | 'unknown' | 'perhaps sag';

const topology = () =>
  new Topology(
    topologyConfig.parse({
      assets: [
        { path: 'north/line-2/press-4', devices: [{ device: 'motor' }, { device: 'oil' }] },
        { path: 'north/line-2/press-5', devices: [{ device: 'press-5' }] },
        { path: 'north/line-9/fan', devices: [{ device: 'fan' }] },
        { path: 'north/mcc', level: 'machine', devices: [{ device: 'feed' }], feeds: ['north/line-2'] },
      ],
    }),
  );

const alerts: Partial<AlertsConfig> = { closeAfterMs: 5000, reopenWithinMs: 3000 };

/** Gateways with one device each, that goes by what stands before the @, and what is said of it. */
class Plant {
  readonly #tapes = new Map<string, Tape>();
  #position = 0;

  constructor(
    readonly bench: AlertBench,
    readonly said: Record<string, Said>,
  ) {}

  static async open(t: TestContext, said: Record<string, Said>, options: BenchOptions = {}): Promise<Plant> {
    const sayings = { ...said };
    const diagnose = ({ device, lastMs }: Incident): Diagnosis => {
      const one = sayings[device] ?? 'sag';
      if (one === 'unknown') return aDiagnosis({ atMs: lastMs, verdict: 'unknown' });
      if (one === 'perhaps sag')
        return aDiagnosis({
          atMs: lastMs,
          verdict: 'possible',
          causes: [{ ...causes.sag, probability: 0.48 }],
        });
      return aDiagnosis({ atMs: lastMs, causes: [causes[one]] });
    };
    const bench = await AlertBench.open(t, { diagnose, alerts, topology: topology(), ...options });
    return new Plant(bench, sayings);
  }

  /**
   * @param rows  by device; each is the only one of gateway `gw-<device>`
   * @param waitMs  until first mails do not wait any more
   */
  async feed(rows: Record<string, RowSpec[]>, waitMs = 3000): Promise<void> {
    await this.bench.feed(...Object.entries(rows).map(([device, specs]) => this.delivery(device, specs)));
    if (waitMs > 0) await this.bench.later(waitMs);
  }

  delivery(device: string, specs: RowSpec[]): Delivery {
    const make = () => new Tape({ seed: 1, gateway: `gw-${device}`, devices: [device] });
    const tape = getOrMake(this.#tapes, device, make);
    this.#position += 1;
    return { ...tape.block(specs), position: this.#position };
  }

  of(device: string): Incident {
    return this.bench.engine.list(2000).find(one => one.device === device)!;
  }

  mailed(device: string): string[] {
    const { id } = this.of(device);
    return this.bench.mailIds().flatMap(mail => (mail.startsWith(id) ? mail.slice(id.length + 1) : []));
  }
}

const trouble = (device: string, flag = forestFlag()) => ({ [device]: pattern(device, 'xxx', flag) });

test('devices of one machine with the same likely cause are one event, also of two gateways', async t => {
  const plant = await Plant.open(t, { motor: 'bearing', oil: 'bearing' });
  await plant.feed({ ...trouble('motor'), ...trouble('oil') });
  assert.equal(plant.of('oil').partOf, plant.of('motor').id);
  assert.deepEqual([plant.mailed('motor'), plant.mailed('oil')], [['opened'], []]);
});

test('machines side by side with faults of their own at the same second are two', async t => {
  const plant = await Plant.open(t, { motor: 'bearing', 'press-5': 'bearing', fan: 'bearing' });
  await plant.feed({ ...trouble('motor'), ...trouble('press-5'), ...trouble('fan') });
  for (const device of ['motor', 'press-5', 'fan']) {
    assert.equal(plant.of(device).partOf, undefined, device);
    assert.deepEqual(plant.mailed(device), ['opened'], device);
  }
});

test('one machine with two different faults has two incidents, and so has one whose cause is unknown', async t => {
  const pairs = [
    ['bearing', 'leak'],
    ['bearing', 'unknown'],
    ['bearing', 'sag'],
    ['sag', 'overload'],
  ] as const;
  for (const [one, other] of pairs) {
    const plant = await Plant.open(t, { motor: one, oil: other });
    await plant.feed({ ...trouble('motor'), ...trouble('oil') });
    assert.equal(plant.of('oil').partOf, undefined, other);
    assert.deepEqual(plant.mailed('oil'), ['opened'], other);
  }
});

test('a shared cause joins what lies at one site, never beyond it', async t => {
  const siteOf = (gateway: string) =>
    gateway === 'gw-far' ? 'south' : gateway === 'gw-odd' ? null : 'north';
  const plant = await Plant.open(t, {}, { siteOf });
  await plant.feed({
    ...trouble('motor'),
    ...trouble('fan'),
    ...trouble('plain'),
    ...trouble('far'),
    ...trouble('odd'),
  });
  for (const device of ['fan', 'plain']) assert.equal(plant.of(device).partOf, plant.of('motor').id, device);
  for (const device of ['far', 'odd']) assert.deepEqual(plant.mailed(device), ['opened'], device);
});

test('who hears of one site only hears of what is there, though another site has the rest of the machine', async t => {
  const siteOf = (gateway: string) => (gateway === 'gw-oil' ? 'south' : 'north');
  const plant = await Plant.open(t, { motor: 'bearing', oil: 'bearing' }, { siteOf });
  await plant.feed({ ...trouble('motor'), ...trouble('oil') });
  assert.deepEqual([plant.mailed('motor'), plant.mailed('oil')], [['opened'], ['opened']]);
});

test('what begins more than two minutes later is another event', async t => {
  const plant = await Plant.open(t, { motor: 'bearing', oil: 'bearing' }, { alerts: { closeAfterMs: 1e6 } });
  await plant.feed(trouble('motor'));
  await plant.feed({ oil: pattern('oil', `${'.'.repeat(125)}xxx`) });
  assert.equal(plant.of('oil').partOf, undefined);
});

test('what a likely fault feeds belongs to it, unless that has a likely cause of its own or was first', async t => {
  const joined = await Plant.open(t, {
    feed: 'leak',
    motor: 'unknown',
    'press-5': 'bearing',
    fan: 'unknown',
  });
  await joined.feed({ ...trouble('feed'), ...trouble('motor'), ...trouble('press-5'), ...trouble('fan') });
  assert.equal(joined.of('motor').partOf, joined.of('feed').id);
  assert.deepEqual(
    joined.of('feed').parts?.map(({ gateway, bond }) => [gateway, bond]),
    [['gw-motor', 'feeds']],
  );
  assert.equal(joined.of('press-5').partOf, undefined);
  assert.match(joined.of('motor').timeline.at(-1)!.text, /Part of the incident on feed: it feeds this one/);
  assert.deepEqual(
    [joined.mailed('motor'), joined.mailed('press-5'), joined.mailed('fan')],
    [[], ['opened'], ['opened']],
  );

  const weak = await Plant.open(t, { feed: 'unknown', motor: 'unknown' });
  await weak.feed({ ...trouble('feed'), ...trouble('motor') });
  assert.equal(weak.of('motor').partOf, undefined, 'nobody knows what is wrong with the feed');

  const later = await Plant.open(t, { feed: 'leak', motor: 'unknown' }, { alerts: { closeAfterMs: 1e6 } });
  await later.feed({ motor: pattern('motor', `${'.'.repeat(30)}`), feed: pattern('feed', '.'.repeat(60)) });
  await later.feed({ ...trouble('feed'), ...trouble('motor') });
  assert.equal(later.of('motor').partOf, undefined, 'the feed began half a minute after it');
});

test('a part that becomes critical alone, or turns out to be something else, has a mail of its own, and its closing', async t => {
  const plant = await Plant.open(t, { motor: 'mild', 'press-5': 'mild', fan: 'mild' });
  await plant.feed({ ...trouble('motor'), ...trouble('press-5'), ...trouble('fan') });
  assert.deepEqual([plant.mailed('press-5'), plant.mailed('fan')], [[], []]);
  await plant.feed(trouble('press-5', ruleFlag()));
  assert.deepEqual([plant.of('press-5').severity, plant.mailed('press-5')], ['critical', ['opened']]);
  plant.said.fan = 'mildLeak';
  for (let i = 0; i < 5; i++) await plant.feed({ ...trouble('motor'), ...trouble('fan') });
  await plant.bench.engine.tick(plant.bench.clock.now());
  assert.deepEqual([plant.of('fan').diagnosis?.causes[0]?.id, plant.mailed('fan')], ['leak', ['opened']]);
  await plant.feed({ 'press-5': pattern('press-5', '.'.repeat(20)) });
  assert.deepEqual(
    plant.mailed('press-5'),
    ['opened', 'closed'],
    'whoever heard that it began hears how it ended',
  );
});

test('one event stays one mail where a later look is less sure of the same cause; another likely one has its own', async t => {
  const plant = await Plant.open(t, {});
  const pumps = ['motor', 'press-5', 'fan', 'plain'];
  const all = (names: string[]) => Object.assign({}, ...names.map(name => trouble(name)));
  await plant.feed(all(pumps));
  for (const name of pumps) plant.said[name] = 'perhaps sag';
  for (let i = 0; i < 5; i++) await plant.feed(all(pumps));
  assert.deepEqual(
    pumps.map(name => [plant.of(name).diagnosis?.verdict, plant.mailed(name)]),
    [['possible', ['opened']], ...Array.from({ length: 3 }, () => ['possible', []])],
  );
  plant.said.fan = 'leak';
  plant.said.plain = 'sag';
  for (let i = 0; i < 5; i++) await plant.feed(all(pumps));
  assert.deepEqual([plant.mailed('fan'), plant.mailed('plain')], [['opened'], []]);
});

test('a machine that is only guessed from names hides nothing, nor does what it would be fed by', async t => {
  const [one, other, oil] = ['halle-1-pumpe-1', 'halle-1-pumpe-2', 'line2-press9-oil'] as const;
  const plant = await Plant.open(t, { [one]: 'bearing', [other]: 'bearing', feed: 'leak', [oil]: 'unknown' });
  await plant.feed({ ...trouble(one), ...trouble(other), ...trouble('feed'), ...trouble(oil) });
  assert.equal(plant.of(one).asset?.path, plant.of(other).asset?.path);
  assert.equal(plant.of(oil).asset?.path, 'north/line-2/press-9');
  for (const name of [one, other, oil])
    assert.deepEqual([plant.of(name).partOf, plant.mailed(name)], [undefined, ['opened']], name);
});

test('a part of what nobody is told of is told of itself', async t => {
  const window = { name: 'overhaul', from: '2020-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z' };
  const maintenance = [{ ...window, devices: ['motor'] }];
  const plant = await Plant.open(
    t,
    { motor: 'bearing', oil: 'bearing' },
    { alerts: { ...alerts, maintenance } },
  );
  await plant.feed({ ...trouble('motor'), ...trouble('oil') });
  assert.deepEqual([plant.mailed('motor'), plant.mailed('oil')], [[], ['opened']]);

  const muted = await Plant.open(t, { motor: 'bearing', oil: 'bearing' });
  await muted.feed(trouble('motor'));
  await muted.bench.engine.handle(muted.of('motor').id, { kind: 'mute', minutes: 60 }, 'Ada');
  await muted.feed(trouble('oil'));
  assert.deepEqual([muted.of('oil').partOf, muted.mailed('oil')], [undefined, ['opened']]);

  const clock = new FakeClock();
  const soon = new Date(clock.now() + 3_600_000).toISOString();
  const both = [...maintenance, { ...window, to: soon, devices: ['oil'] }];
  const busy = await Plant.open(
    t,
    { motor: 'bearing', oil: 'bearing' },
    { clock, alerts: { ...alerts, closeAfterMs: 1e7, maintenance: both } },
  );
  await busy.feed({ ...trouble('motor'), ...trouble('oil') });
  assert.deepEqual([busy.of('oil').partOf, busy.bench.mailIds()], [busy.of('motor').id, []]);
  await clock.advance(3_601_000);
  await busy.bench.engine.tick(clock.now());
  assert.deepEqual([busy.mailed('motor'), busy.mailed('oil')], [[], ['opened']], 'its own window is over');

  const held = await Plant.open(t, { fan: 'bearing' }, { alerts: { closeAfterMs: 1e7, stormDevices: 1 } });
  await held.feed({ ...trouble('fan'), ...trouble('motor') });
  assert.deepEqual(held.mailed('motor'), [], 'held back in the storm');
  await held.feed({ oil: pattern('oil', `${'.'.repeat(70)}xxx`) });
  assert.deepEqual(held.mailed('oil'), ['opened']);
});

test('parts of what becomes part of another are parts of that', async t => {
  const assets = [
    { path: 'north/line-2/press-4', devices: [{ device: 'motor' }, { device: 'oil' }] },
    { path: 'north/line-2/press-5', devices: [{ device: 'press-5' }] },
  ];
  const topology = new Topology(topologyConfig.parse({ assets }));
  const plant = await Plant.open(t, { 'press-5': 'sag', motor: 'bearing', oil: 'bearing' }, { topology });
  await plant.feed({ ...trouble('press-5'), ...trouble('motor'), ...trouble('oil') }, 0);
  assert.equal(plant.of('oil').partOf, plant.of('motor').id);
  plant.said.motor = 'sag';
  plant.said.oil = 'sag';
  await plant.feed({ ...trouble('press-5'), ...trouble('motor'), ...trouble('oil') });
  const whole = plant.of('press-5');
  assert.deepEqual([plant.of('motor').partOf, plant.of('oil').partOf], [whole.id, whole.id]);
  assert.deepEqual([whole.parts?.map(({ device }) => device), whole.partCount], [['motor', 'oil'], 2]);
  assert.deepEqual([plant.of('motor').parts, plant.of('motor').partCount], [undefined, undefined]);
  assert.deepEqual(plant.bench.mailIds(), [`${whole.id}-opened`]);
  assert.match((await plant.bench.mails.body(`${whole.id}-opened`))!.text, /oil/);
});

test('500 gateways that lose their supply are one incident with a list, and one mail; when it is over, one more', async t => {
  const names = Array.from({ length: 500 }, (_, i) => `pump${i + 1}`);
  const directory = await temporaryFolder(t);
  const before = await Plant.open(t, {}, { directory });
  const all = (marks: string) => Object.fromEntries(names.map(name => [name, pattern(name, marks)]));
  await before.feed(all('xxx'));
  const half = before.bench.engine.list(1000).filter(one => one.partOf).length;
  assert.ok(half > 0 && half < 499, `looked at some at once: ${half}`);
  await before.feed(all('x'));
  await before.bench.kill();

  // It goes on from what was stored.
  const after = await Plant.open(t, {}, { directory });
  let position = after.bench.position;
  const tapes = names.map(
    name =>
      new Tape({
        seed: 2,
        gateway: `gw-${name}`,
        devices: [name],
        epoch: '2-c3d4',
        startMs: Date.UTC(2026, 0, 1, 0, 0, 4),
      }),
  );
  const next = (marks: string) =>
    after.bench.feed(
      ...tapes.map((tape, i) => ({ ...tape.block(pattern(names[i]!, marks)), position: ++position })),
    );
  const found = () => after.bench.engine.list(1000);
  for (let i = 0; i < 400 && found().some(one => !one.diagnosis); i++) await next('x');
  const wholes = found().filter(one => one.partOf === undefined);
  assert.equal(wholes.length, 1);
  const [whole] = wholes;
  assert.equal(whole!.partCount, 499);
  assert.equal(whole!.parts!.length, 50);
  assert.ok(whole!.timeline.length < 20, `${whole!.timeline.length} notes`);
  assert.match(
    whole!.timeline.map(({ text }) => text).join('\n'),
    /The same shows on further devices: 499 in all/,
  );
  assert.deepEqual(after.bench.mailIds(), [`${whole!.id}-opened`]);
  // They recover one after another, the first one first.
  for (let i = 0; i < 6; i++) await next('.');
  await after.bench.feed(
    ...tapes.map((tape, i) => ({ ...tape.block(pattern(names[i]!, 'xx........')), position: ++position })),
  );
  for (let i = 0; i < 3; i++) await next('....');
  assert.ok(found().every(one => one.state === 'closed'));
  assert.deepEqual(after.bench.mailIds(), [`${whole!.id}-opened`, `${whole!.id}-closed`]);
  assert.match((await after.bench.mails.body(`${whole!.id}-closed`))!.text, /and 479 more/);
});

test('parts that recover a little later than the whole have no mails; those that stay in trouble do', async t => {
  const plant = await Plant.open(t, { motor: 'bearing', oil: 'bearing' });
  await plant.feed({ ...trouble('motor'), ...trouble('oil') });
  await plant.feed({ motor: pattern('motor', '......'), oil: pattern('oil', 'xxxxxx') });
  assert.equal(plant.of('motor').state, 'closed');
  assert.deepEqual(plant.mailed('oil'), []);
  await plant.feed({ oil: pattern('oil', 'x'.repeat(6)) });
  await plant.bench.engine.tick(plant.bench.clock.now());
  assert.deepEqual(plant.mailed('oil'), ['opened']);
});

test('what there was no time to look at waits with its mail for a second or so, over a kill too; never for long', async t => {
  const names = ['motor', 'oil', 'pipe'];
  const many = [...names, 'a', 'b', 'c', 'd', 'e', 'f', 'g'];
  const said = Object.fromEntries(many.map(name => [name, 'bearing' as const]));
  const inTrouble = (some: readonly string[]) => Object.assign({}, ...some.map(name => trouble(name)));
  const assets = [{ path: 'north/line-2/press-4', devices: [{ device: '*' }] }];
  const plantOf = () => new Topology(topologyConfig.parse({ assets }));
  const slow = ({ lastMs }: Incident): Diagnosis => {
    const until = performance.now() + 35;
    while (performance.now() < until);
    return aDiagnosis({ atMs: lastMs, causes: [causes.bearing] });
  };
  const directory = await temporaryFolder(t);
  const plant = await Plant.open(t, said, { directory, topology: plantOf(), diagnose: slow });
  await plant.feed(inTrouble(names), 0);
  assert.equal(plant.bench.mailIds().length, 0);
  await plant.bench.kill();
  const again = await Plant.open(t, said, { directory, topology: plantOf(), diagnose: slow });
  for (let i = 0; i < 3; i++) await again.bench.later(1000);
  assert.equal(again.bench.engine.list(9).filter(one => one.partOf).length, 2);
  assert.equal(again.bench.mailIds().length, 1);

  const short = await Plant.open(t, said, { topology: plantOf(), diagnose: slow });
  await short.feed(inTrouble(many));
  await short.feed(Object.fromEntries(many.map(name => [name, pattern(name, '.'.repeat(30))])));
  assert.ok(short.bench.engine.list(20).every(({ state }) => state === 'closed'));
  const alone = many.filter(name => short.of(name).partOf === undefined);
  assert.ok(alone.length > 1, 'for some there was no time');
  for (const name of alone)
    assert.ok(short.mailed(name).includes('opened'), `${name} was over before it was looked at`);

  const blind = () => {
    slow(again.of('motor'));
    return undefined;
  };
  const lost = await Plant.open(t, said, { topology: plantOf(), diagnose: blind });
  await lost.feed(inTrouble(many), 0);
  for (let i = 0; i < 4; i++) await lost.bench.later(1000);
  assert.equal(lost.bench.mailIds().length, many.length);
});
