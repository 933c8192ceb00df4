/** Few labelled cases of each kind; `npm run evaluate:diagnosis` has the figures. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadCatalogue } from '@edgeward/collector/diagnosis/catalogue';
import { faultCase, loadCase, splits } from './cases.js';
import { figuresOf, type Outcome, tableOf } from './figures.js';
import { judgeCase } from './judge-case.js';
import { mailsOf } from './mails-of.js';
import { labelledKinds } from './truths.js';

/** Not seen by the shipped model of cold rooms within the hour, so nothing is said of it. */
const unseen = ['refrigerant-leak'];
const seed = splits.test.firstSeed + 300;

test(`simulated faults are named, with what has to be looked at (seed ${seed})`, async () => {
  const catalogue = await loadCatalogue();
  const outcomes: Outcome[] = [];
  for (const kind of labelledKinds.filter(name => !unseen.includes(name))) {
    const one = faultCase(kind, seed, splits.test);
    outcomes.push({ one, judged: await judgeCase(one, catalogue) });
  }
  const figures = figuresOf(outcomes);
  const told = tableOf(outcomes);
  assert.ok(figures.found >= 0.85, told);
  assert.ok(figures.top1OfFound >= 0.8 && figures.top3OfFound >= 0.9, told);
  assert.ok(figures.componentF1 >= 0.8, told);
  const madeUp = outcomes.flatMap(mailsOf).flatMap(mail => mail.unfounded);
  assert.deepEqual([madeUp, figures.mails >= figures.faults * figures.found], [[], true]);
});

test(`a change of load is not blamed on a part (seed ${seed})`, async () => {
  const catalogue = await loadCatalogue();
  for (const type of ['pump', 'power-feed'] as const) {
    const one = loadCase(type, seed, splits.test);
    const outcome = { one, judged: await judgeCase(one, catalogue) };
    const { loadIncidents, loadNotBlamed } = figuresOf([outcome]);
    assert.equal(loadNotBlamed, loadIncidents, type);
  }
});
