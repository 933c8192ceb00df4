import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { messageOf } from '@edgeward/shared/errors';
import { loadCatalogue, names, wordsOf } from './catalogue.js';
import { checkCatalogues } from './config.js';

let folder: string;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'edgeward-catalogue-'));
});
after(() => rm(folder, { recursive: true, force: true }));

async function file(name: string, text: string): Promise<string> {
  const written = path.join(folder, name);
  await writeFile(written, text);
  return written;
}

const own = (id: string, more = '') => `causes:
  - id: ${id}
    cause: Belt slips
    component: belt
    severity: warning
    symptoms: [{ channel: belt speed, is: low }]
    actions: [Tighten the belt.]
${more}`;

test('a file of the user adds causes, and replaces shipped ones by their id', async () => {
  const shipped = await loadCatalogue();
  assert.ok(shipped.length >= 20);
  const mine = await file('mine.yaml', `${own('belt-slips')}${own('pump-leak').replace('causes:\n', '')}`);
  const all = await loadCatalogue([mine]);
  assert.equal(all.length, shipped.length + 1);
  assert.equal(all.find(({ id }) => id === 'pump-leak')?.cause, 'Belt slips');
});

test('a file that is wrong is refused by file, line and field', async () => {
  const refused = async (name: string, text: string, words: RegExp) => {
    const bad = await file(name, text);
    await assert.rejects(loadCatalogue([bad]), error => {
      assert.match(messageOf(error), words);
      return true;
    });
  };
  await refused('manner.yaml', own('a').replace('is: low', 'is: lowish'), /manner\.yaml.*6|lowish/s);
  await refused('words.yaml', own('a').replace('belt speed', '"Belt.*"'), /words in lower case/);
  await refused('actions.yaml', own('a').replace('[Tighten the belt.]', '[]'), /actions/);
  const symptom = (text: string) => own('a').replace('{ channel: belt speed, is: low }', text);
  await refused('none.yaml', symptom('{ channel: belt speed }'), /none\.yaml:6:.*one of: is, before, first/);
  await refused('both.yaml', symptom('{ is: low, first: true }'), /both\.yaml:6:.*one of: is, before, first/);
  await refused('order.yaml', symptom('{ before: flow }'), /order\.yaml:6:.*before: without a channel/);
  await refused(
    'how.yaml',
    symptom('{ channel: a, before: b, how: step }'),
    /how\.yaml:6:.*how: only with is/,
  );
  const twice = `${own('same')}${own('same').replace('causes:\n', '')}`;
  await refused('twice.yaml', twice, /cause same stands twice in .*twice\.yaml/);
  await assert.rejects(loadCatalogue([path.join(folder, 'absent.yaml')]), /absent\.yaml/);
});

test('channels are named by whole words, however they are written', () => {
  assert.equal(wordsOf('bearingTemperature'), 'bearing temperature');
  assert.equal(wordsOf('P1.Discharge-Pressure_bar'), 'p1 discharge pressure bar');
  assert.ok(names('outlet pressure|discharge pressure', 'discharge_pressure'));
  assert.ok(!names('flow', 'overflow'));
  assert.ok(!names('pressure', 'pressureless'));
});

test('a check of the configuration tells what is wrong within the files, and leaves absent ones to others', async () => {
  const bad = await file('bad.yaml', own('a').replace('warning', 'loud'));
  const issues = await checkCatalogues({ catalogues: [path.join(folder, 'absent.yaml'), bad] });
  assert.deepEqual(
    issues.map(({ field }) => field),
    ['diagnosis.catalogues[1]'],
  );
  assert.match(issues[0]!.problem, /bad\.yaml:5:.*severity/s);
});
