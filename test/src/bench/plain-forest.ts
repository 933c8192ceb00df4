/** A model of nothing but an isolation forest over the values as they are: no means, no relations, one run a block. */
import path from 'node:path';
import { createBundle, readBundle, writeBundle } from '@edgeward/models/bundle';
import { thresholdAbove } from '@edgeward/models/calibrate';
import { asForestCard } from '@edgeward/models/card';
import { goldenOf } from '@edgeward/models/golden';
import { scoreMatrix, trainForest } from '@edgeward/models/isolation-forest';
import { numberOf } from '@edgeward/shared/batch';
import type { Workbench } from '../support/processes.js';
import { root } from '../support/root.js';
import { preparedBlocks } from './columnar-source.js';

/** As the paper has it: 100 trees of 256 rows. @returns the bundle's folder */
export async function plainForest(bench: Workbench): Promise<string> {
  const shipped = await readBundle(path.join(root, 'models', 'bundles', 'cold-room'));
  const { format: _format, revision: _revision, modelSha256: _sha256, ...card } = asForestCard(shipped.card);
  const [width, x] = values();
  const forest = trainForest(x, x.length / width, width, { seed: 1, trees: 100, samples: 256, tries: 1 });
  const channels = card.features.channels.map(({ weights: _, ...channel }) => ({
    ...channel,
    features: ['value' as const],
  }));
  const features = channels.map(({ field }) => `${field}.value`);
  const threshold = thresholdAbove(scoreMatrix(forest, x), 1);
  const bundle = createBundle(
    {
      ...card,
      name: 'plain-forest',
      features: { ...card.features, channels },
      threshold,
      plainThreshold: threshold,
      featureRanges: features.map((feature, f) => ({ ...card.featureRanges[f]!, feature })),
      forest: { trees: forest.roots.length, samples: 256, nodes: forest.feature.length },
    },
    forest,
    goldenOf(forest, features, x),
  );
  const folder = path.join(bench.folder, 'plain-forest');
  await writeBundle(folder, bundle);
  return folder;
}

/** Row-major, what the source will send. */
function values(): [width: number, x: Float32Array] {
  const blocks = preparedBlocks({
    blockReadings: 4800,
    devices: 10,
    readings: 0,
    intervalMs: 0,
    blocksPerBeat: 1,
  });
  const width = blocks[0]!.schema.fields.length;
  const rows = blocks.reduce((sum, { time }) => sum + time.length, 0);
  const x = new Float32Array(rows * width);
  let at = 0;
  for (const block of blocks) {
    for (let i = 0; i < block.time.length; i++)
      for (let f = 0; f < width; f++) x[at++] = numberOf(block, f, i);
  }
  return [width, x];
}
