import type { EvaluationKind } from './kind.js';
import { nab } from './nab.js';
import { pipeline } from './pipeline.js';
import { skab } from './skab.js';
import { tabular } from './tabular.js';

/** All that `edgeward evaluate` knows. */
export const kinds: readonly EvaluationKind[] = [tabular, skab, nab, pipeline];
