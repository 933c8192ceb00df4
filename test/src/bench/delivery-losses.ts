/** What the fault rig found last: this bench does not pull any plugs itself. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Row } from '../faults/matrix.js';
import { root } from '../support/root.js';
import type { Figure } from './figures.js';

interface RigResult {
  readonly amount: string;
  readonly rows: readonly Row[];
}

/** Tests of the rig that kill and cut, and that end with every reading told apart at the sink. */
const files = /kills|power-cuts/;

export function lossFigures(): Promise<Figure[]> {
  const file = path.join(root, 'test', 'faults-result.json');
  const found = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as RigResult) : undefined;
  return Promise.resolve([lossFigure(found)]);
}

/** A rig that was cut short or skipped shows nothing. */
export function lossFigure(rig: RigResult | undefined): Figure {
  const name = 'tests with silent losses or duplicates at the sink, 200 kills and 50 power cuts';
  const goal = { atMost: 0 };
  const rows = rig?.rows.filter(({ file }) => files.test(file)) ?? [];
  const shown = rows.filter(({ result }) => result !== 'not shown');
  if (rig?.amount !== 'full' || !shown.some(({ file }) => file.includes('power-cuts')))
    return { name, goal, measured: undefined, note: 'needs a full run: npm run test:faults' };
  const broken = shown.filter(({ result }) => result !== 'holds').length;
  return {
    name,
    goal,
    measured: broken,
    note: `the last npm run test:faults: ${shown.length} tests of kills and power cuts`,
  };
}
