import { type ModelManifest, manifestOf } from '@edgeward/shared/models/manifest';
import { seededRng } from '@edgeward/shared/rng';

export interface MadeUp {
  readonly manifest: ModelManifest;
  readonly files: Readonly<Record<string, Uint8Array>>;
}

/** Files of a bundle that is none: for whoever only carries them. */
export function madeUp(seed: number, bytes = 10_000): MadeUp {
  const rng = seededRng(seed);
  const random = (n: number) => Uint8Array.from({ length: n }, () => Math.floor(rng() * 256));
  const files = {
    'model.onnx': random(bytes),
    'card.json': random(bytes / 2),
    'golden.json': random(bytes / 4),
  };
  const revision = seed.toString(16).padStart(12, '0');
  return { manifest: manifestOf({ type: 'machine', revision }, files), files };
}
