import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { type Figure, figuresTable, meets } from '../../bench/figures.js';
import { detectionData } from './data.js';
import { rank } from './ranking.js';
import {
  allowance,
  evaluateTabular,
  extendedFigures,
  parityFigures,
  rankings,
  references,
} from './tabular.js';

const near = (found: number, expected: number) =>
  assert.ok(Math.abs(found - expected) < 1e-12, `${found} instead of ${expected}`);

test('a ranking by hand: two anomalous rows among five, one of them below a normal one', () => {
  // From the top: anomalous, normal, anomalous, normal, normal.
  const { auc, ap } = rank([0, 1, 0, 1, 0], Float64Array.of(0.2, 0.9, 0.6, 0.5, 0.1));
  near(auc, 5 / 6);
  near(ap, (1 + 2 / 3) / 2);
});

test('equal scores count half for the AUC, and share their precision', () => {
  const { auc, ap } = rank([1, 0, 1, 0], Float64Array.of(0.5, 0.5, 0.5, 0.1));
  near(auc, (2 * 0.5 + 2) / 4);
  near(ap, 2 / 3);
  const all = rank([1, 0, 0, 0], Float64Array.of(7, 7, 7, 7));
  near(all.auc, 0.5);
  near(all.ap, 1 / 4);
});

test('the best order has 1 and 1, the worst 0', () => {
  assert.deepEqual(rank([0, 1], Float64Array.of(-1, 1)), { auc: 1, ap: 1 });
  assert.deepEqual(rank([0, 1], Float64Array.of(1, -1)), { auc: 0, ap: 0.5 });
});

test('rows of one kind, and rows without a score, have no ranking', () => {
  assert.throws(() => rank([0, 0], Float64Array.of(1, 2)), TypeError);
  assert.throws(() => rank([0, 1], Float64Array.of(1, Number.NaN)), TypeError);
  assert.throws(() => rank([0, 1], Float64Array.of(1)), TypeError);
});

test('three standard errors are allowed, and 0.005 at least', () => {
  near(
    allowance([0.8, 0.9], { aucMean: 0.8, aucSd: 0.01, seeds: 25 }),
    3 * Math.sqrt(1e-4 / 25 + 0.0025 / 2),
  );
  near(allowance([0.8, 0.8], { aucMean: 0.8, aucSd: 0.03, seeds: 30 }), 3 * Math.sqrt(9e-4 / 30 + 9e-4 / 2));
  assert.equal(allowance([0.8, 0.8001], { aucMean: 0.8, aucSd: 1e-4, seeds: 30 }), 0.005);
});

test('predictions are ranked set by set and seed by seed, and a row without one is an error', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'edgeward-rankings-'));
  try {
    await writeFile(path.join(folder, 'a.csv'), 'f0,label\n1,0\n2,1\n3,0\n');
    const predictions = path.join(folder, 'predictions.txt');
    const lines = [
      'dataset,seed,row,score',
      'a,1,0,0.1',
      'a,1,1,0.9',
      'a,1,2,0.2',
      'a,2,1,0',
      'a,2,0,1',
      'a,2,2,1',
    ];
    await writeFile(predictions, `${lines.join('\n')}\n`);
    const found = (await rankings(folder, predictions)).get('a')!;
    assert.deepEqual(
      found.map(({ auc }) => auc),
      [1, 0],
    );
    await writeFile(predictions, `${lines.slice(0, 3).join('\n')}\n`);
    await assert.rejects(rankings(folder, predictions), TypeError);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('figures miss their goal where a set is off, better or worse, or has no predictions', () => {
  const sets = Object.entries(references());
  assert.equal(sets.length, 10);
  const found = (offset: number) =>
    new Map(
      sets.map(([set, { aucMean }]) => [set, Array(10).fill({ auc: aucMean + offset, ap: 0 })] as const),
    );
  const missed = (figures: readonly Figure[]) =>
    figures.filter(one => meets(one) === false || one.failed).length;
  assert.equal(missed(parityFigures(found(0.003))), 0);
  assert.ok(missed(parityFigures(found(-0.03))) > 5);
  assert.ok(missed(parityFigures(found(0.03))) > 5);
  const lacking = found(0);
  lacking.delete('http');
  assert.equal(missed(parityFigures(lacking)), 1);
  assert.equal(missed(extendedFigures(found(0.003))), 1);
  assert.equal(missed(extendedFigures(found(0.007))), 0);
});

const folder = detectionData('tabular');
if (folder !== undefined) {
  const holds = (figures: readonly Figure[]) =>
    assert.ok(
      figures.every(one => meets(one)),
      figuresTable(figures),
    );

  test('the plain forest is as good as scikit-learn’s on the ten sets', async () => {
    holds(parityFigures(await evaluateTabular(folder, 'isolation')));
  });

  test('the extended forest is better on them', async () => {
    holds(extendedFigures(await evaluateTabular(folder, 'extended')));
  });
}
