import path from 'node:path';
import { type EngineName, openModel } from '@edgeward/models/engines';
import { Scorer, type ScorerOptions } from '@edgeward/models/scorer';
import { silentLogger } from '@edgeward/shared/log';
import { root } from '../support/root.js';

export const shippedModels = ['pump', 'cold-room', 'power-feed', 'office-temperature'] as const;

/** With golden rows checked, as the agent opens them. */
export function openShipped(name: string, engine: EngineName = 'auto') {
  return openModel(path.join(root, 'models', 'bundles', name), { engine, log: silentLogger });
}

export async function shippedScorer(onJudged?: ScorerOptions['onJudged']): Promise<Scorer> {
  const models = await Promise.all(shippedModels.map(name => openShipped(name)));
  return new Scorer({ models, log: silentLogger, ...(onJudged && { onJudged }) });
}
