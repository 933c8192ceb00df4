/** Mails that follow a diagnosis that changes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Diagnosis } from '../diagnosis/diagnosis.js';
import { aDiagnosis } from '../testing/a-diagnosis.js';
import {
  AlertBench,
  type BenchOptions,
  forestFlag,
  pattern,
  temporaryFolder,
} from '../testing/alert-bench.js';
import { Tape } from '../testing/deliveries.js';
import type { Diagnose } from './diagnosing.js';

const [blocked] = aDiagnosis().causes;
const cause = (id: string, name: string) => ({
  ...blocked!,
  id,
  cause: name,
  probability: 0.6,
  severity: 'warning' as const,
});
const causes = {
  valve: cause('valve', 'Closed valve'),
  leak: cause('leak', 'Leak'),
  wear: cause('wear', 'Worn bearing'),
};
type Name = keyof typeof causes;
/** What a look finds: `leak` is likely, `leak?` possible, `?` unknown. */
type Look = Name | `${Name}?` | '?';

function found(look: Look, atMs: number): Diagnosis {
  if (look === '?') return aDiagnosis({ atMs, verdict: 'unknown', causes: [causes.valve] });
  const name = look.replace('?', '') as Name;
  return aDiagnosis({ atMs, verdict: look.endsWith('?') ? 'possible' : 'likely', causes: [causes[name]] });
}

/** The last of them goes on; the first mail waits for the second. */
function finding(...looks: readonly Look[]): Diagnose {
  let made = 0;
  return ({ lastMs }) => found(looks[Math.min(made++, looks.length - 1)]!, lastMs);
}

/** Feeds flagged rows for so many seconds, and saves after each block. */
async function plant(t: Parameters<typeof AlertBench.open>[0], options: BenchOptions, names = ['pump-1']) {
  const bench = await AlertBench.open(t, options);
  const tape = new Tape({ seed: 1, devices: names });
  const run = async (on: AlertBench, seconds: number, mark: 'x' | '.' = 'x') => {
    for (let i = 0; i < seconds / 3; i++) {
      await on.feed(tape.block(names.flatMap(name => pattern(name, mark.repeat(3), forestFlag(0.64)))));
      await on.clock.advance(1500);
    }
  };
  return { bench, run };
}

const kindsIn = (bench: AlertBench) => bench.mailIds().map(id => id.replace(/^inc-[0-9a-f]+-/, ''));

async function textOf(bench: AlertBench, kind: string): Promise<string> {
  const id = bench.mailIds().find(one => one.endsWith(`-${kind}`));
  return (await bench.mails.body(id ?? 'none'))?.text.replaceAll('\u00a0', ' ') ?? 'no such mail';
}

test('another likely cause that two looks agree on is told once, with what was thought before', async t => {
  const { bench, run } = await plant(t, { diagnose: finding('valve', 'valve', 'leak', 'leak') });
  await run(bench, 12);
  assert.deepEqual(kindsIn(bench), ['opened'], 'one look is not enough');
  await run(bench, 60);
  assert.deepEqual(kindsIn(bench), ['opened', 'update']);
  const lead =
    /Another cause is likely now for the incident on pump-1: Leak \(60 %\)\. Until now Closed valve was likely\./;
  assert.match(await textOf(bench, 'update'), lead);
});

test('a cause that becomes likely only after the first mail is told, from possible and from unknown', async t => {
  const possible = await plant(t, { diagnose: finding('valve?', 'valve?', 'valve', 'valve') });
  await possible.run(possible.bench, 60);
  assert.deepEqual(kindsIn(possible.bench), ['opened', 'update']);
  assert.match(
    await textOf(possible.bench, 'update'),
    /A cause is likely now .*: Closed valve \(60 %\)\. Until now Closed valve was only possible\./,
  );
  const unknown = await plant(t, { diagnose: finding('?', '?', 'leak', 'leak') });
  await unknown.run(unknown.bench, 60);
  assert.match(await textOf(unknown.bench, 'update'), /: Leak \(60 %\)\. Until now it was unknown\./);
});

test('no mail for a cause that stays, that is only possible, or that comes and goes', async t => {
  for (const looks of [
    ['valve', 'valve', 'valve'],
    ['valve', 'valve', 'leak?', 'leak?'],
    ['valve', 'valve', 'leak', 'valve', 'leak', 'valve', 'leak', 'valve'],
    ['valve', 'valve', 'leak?', 'leak', 'valve'],
    ['valve', 'valve', '?', '?'],
  ] as const) {
    const { bench, run } = await plant(t, { diagnose: finding(...looks) });
    await run(bench, 100);
    assert.deepEqual(kindsIn(bench), ['opened'], looks.join(' '));
  }
});

test('two such mails an incident and no more, each with an id of its own, and none once it is over', async t => {
  const { bench, run } = await plant(t, {
    diagnose: finding('valve', 'valve', 'leak', 'leak', 'wear', 'wear', 'valve', 'valve', 'leak', 'leak'),
  });
  await run(bench, 115);
  const kinds = ['opened', 'update', 'update-2'];
  assert.deepEqual(kindsIn(bench), kinds);
  assert.match(await textOf(bench, 'update-2'), /: Worn bearing \(60 %\)\. Until now Leak was likely\./);
  await run(bench, 240, '.');
  assert.deepEqual(kindsIn(bench), [...kinds, 'closed']);
});

test('in a storm there is none; afterwards it comes, and so does what was held back and is still open', async t => {
  const names = ['pump-1', 'pump-2', 'pump-3'];
  const diagnose: Diagnose = ({ device, lastMs, firstMs }) =>
    found(device === 'pump-1' && lastMs - firstMs > 5000 ? 'leak' : 'valve', lastMs);
  const alerts = { stormDevices: 2, stormWithinMs: 60_000 };
  const { bench, run } = await plant(t, { diagnose, alerts }, names);
  await run(bench, 60);
  assert.deepEqual(
    kindsIn(bench),
    ['opened', 'opened'],
    'the third is held back, and it is half a minute later',
  );
  await bench.clock.advance(60_000);
  await run(bench, 9);
  assert.deepEqual(kindsIn(bench).sort(), ['opened', 'opened', 'opened', 'update']);
});

test('on a busy collector, too, where others write between the looks', async t => {
  const { bench, run } = await plant(t, { diagnose: finding('valve', 'valve', 'leak') });
  const other = new Tape({ seed: 2, devices: ['pump-9'], gateway: 'gw-other' });
  await run(bench, 9);
  assert.deepEqual(kindsIn(bench), ['opened']);
  const tape = new Tape({ seed: 1, devices: ['pump-1'] });
  tape.skip('pump-1', 9000);
  for (let i = 0; i < 12; i++) {
    await bench.clock.advance(1001);
    for (const block of [
      other.block(pattern('pump-9', '...')),
      tape.block(pattern('pump-1', 'xxx', forestFlag(0.64))),
    ])
      await bench.feed({ ...block, position: bench.position + 1 });
    await bench.engine.tick(bench.clock.now());
  }
  assert.deepEqual(kindsIn(bench), ['opened', 'update']);
});

test('who asked for quiet has it; in quiet hours it waits for the digest', async t => {
  const { bench, run } = await plant(t, { diagnose: finding('valve', 'valve', 'leak') });
  await run(bench, 6);
  await bench.engine.handle(bench.engine.list(1)[0]!.id, { kind: 'mute', minutes: 60 }, 'Ada');
  await run(bench, 60);
  assert.deepEqual(kindsIn(bench), ['opened']);

  const smtp = { host: 'localhost', port: 25, secure: 'none' as const };
  const night = await plant(t, {
    diagnose: finding('valve', 'valve', 'leak'),
    mail: { smtp, digest: { severities: ['warning'], everyMs: 3_600_000 } },
  });
  await night.run(night.bench, 60);
  assert.deepEqual(
    night.bench.mails.list(9).map(({ state }) => state),
    ['held', 'held'],
  );
});

test('after a restart it is told no second time; of a release that kept nothing of it, nothing is told', async t => {
  const directory = await temporaryFolder(t);
  const { bench, run } = await plant(t, { directory, diagnose: finding('valve', 'valve', 'leak') });
  await run(bench, 60);
  assert.deepEqual(kindsIn(bench), ['opened', 'update']);
  await bench[Symbol.asyncDispose]();
  const again = await AlertBench.open(t, { directory, diagnose: finding('leak'), clock: bench.clock });
  await run(again, 30);
  assert.deepEqual(kindsIn(again), ['opened', 'update']);

  const old = await temporaryFolder(t);
  const before = await plant(t, { directory: old, diagnose: finding('valve') });
  await before.run(before.bench, 12);
  const [[key, record]] = (await before.bench.store.list('incident/')) as [[string, { told?: unknown }]];
  assert.deepEqual(record.told, { verdict: 'likely', id: 'valve', cause: 'Closed valve' });
  const { told: _, ...rest } = record;
  await before.bench[Symbol.asyncDispose]();
  const between = await AlertBench.open(t, { directory: old, clock: before.bench.clock });
  await between.store.commit([{ key: `incident/${key}`, value: rest }]);
  await between.kill();
  const after = await AlertBench.open(t, {
    directory: old,
    diagnose: finding('leak'),
    clock: before.bench.clock,
  });
  await before.run(after, 60);
  assert.deepEqual(kindsIn(after), ['opened']);
  assert.equal(after.engine.list(1)[0]!.diagnosis?.causes[0]?.id, 'leak');
});
