import type { Detector } from '@edgeward/shared/contracts';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { type Bundle, readBundle } from './bundle.js';
import { type Card, forestColumns } from './card.js';
import { ChangingDetector } from './changing-detector.js';
import { CompiledForest } from './compiled-forest.js';
import { verifyGolden } from './golden.js';
import { type Forest, scoreForest } from './isolation-forest.js';

/**
 * `onnx`: onnxruntime. `typescript`: the same trees, by our own code. `auto`: onnxruntime, but our own where they cost
 * less and give the same golden scores: for calls of few rows, and, from so many rows on that the memory of compiling is
 * worth it, for all (less than half, 1 to 1,000 rows a call); and in any case where onnxruntime has no binary (32-bit
 * ARM, Intel Macs).
 */
export const engineNames = ['auto', 'onnx', 'typescript'] as const;
export type EngineName = (typeof engineNames)[number];

export interface EngineOptions {
  readonly engine?: EngineName;
  readonly log: Logger;
  /** Loads onnxruntime; tests give one that fails. */
  readonly runtime?: () => Promise<Runtime>;
}

type Runtime = Pick<typeof import('onnxruntime-node'), 'InferenceSession' | 'Tensor'>;

/** A gateway of ten devices at 1 Hz gets there within the hour; compiling and checking takes 4 MB and some 10 ms. */
const compiledAfterRows = 30_000;

/**
 * A call of onnxruntime costs some 25 µs before its first row, and compiled trees walk eight rows where there is one; so
 * many rows of 100 trees are walked in less.
 */
const fewRows = 4;

/** Above this a run holds up the event loop for a millisecond and more. */
const maxRowsARun = 256;

/** Small and single-threaded: an agent shares its machine, and the arena alone would cost tens of megabytes. */
const sessionOptions: InferenceSession.SessionOptions = {
  executionProviders: ['cpu'],
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: 'sequential',
  enableCpuMemArena: false,
  enableMemPattern: false,
  logSeverityLevel: 3,
};

export interface LoadedModel<Kind extends Card = Card> {
  readonly bundle: Bundle<Kind>;
  readonly detector: Detector;
}

/**
 * Reads a bundle, loads its detector and checks it against the golden rows.
 * @throws EW_MODEL_BUNDLE, EW_MODEL_GOLDEN; EW_PACKAGE_MISSING if `onnx` is demanded and cannot load
 */
export async function openModel(directory: string, options: EngineOptions): Promise<LoadedModel> {
  const bundle = await readBundle(directory);
  const detector = await loadDetector(bundle, options);
  try {
    await verifyGolden(detector, bundle);
  } catch (error) {
    await detector[Symbol.asyncDispose]();
    throw error;
  }
  return { bundle, detector };
}

/** Only loads; callers other than `openModel` must call `verifyGolden` themselves. */
export async function loadDetector(
  bundle: Bundle,
  { engine = 'auto', log, runtime = () => import('onnxruntime-node') }: EngineOptions,
): Promise<Detector> {
  if (engine === 'typescript') return new ForestDetector(bundle, CompiledForest.of(bundle.forest));
  try {
    const onnx = await OnnxDetector.create(bundle, await runtime());
    return engine === 'onnx' ? onnx : await cheaper(bundle, onnx, log);
  } catch (error) {
    if (engine === 'onnx') {
      const detail = `onnxruntime-node does not load here: ${messageOf(error)}. Use the engine auto or typescript.`;
      throw new EdgewardError('EW_PACKAGE_MISSING', detail, { cause: error });
    }
    log.warn({ model: bundle.card.name, err: error }, 'onnxruntime does not load; scoring in TypeScript');
    return new ForestDetector(bundle, CompiledForest.of(bundle.forest));
  }
}

/** Our own trees for few rows, and for all once they are worth compiling, if they say what the golden rows say. */
async function cheaper(bundle: Bundle, onnx: Detector, log: Logger): Promise<Detector> {
  const differs = (err: unknown) =>
    log.warn({ model: bundle.card.name, err }, 'our trees differ from onnxruntime, which goes on scoring');
  const walked = new ForestDetector(bundle);
  const err = (await golden(onnx, bundle)) ?? (await golden(walked, bundle));
  if (err) {
    differs(err);
    return onnx;
  }
  const many = new ChangingDetector(onnx, compiledAfterRows, async () => {
    const compiled = CompiledForest.of(bundle.forest);
    if (!compiled) return undefined;
    const own = new ForestDetector(bundle, compiled);
    const off = await golden(own, bundle);
    if (off) differs(off);
    return off ? undefined : own;
  });
  return new BySize(walked, many);
}

/** Two detectors of the same model: one that is cheaper for few rows a call. */
class BySize implements Detector {
  readonly features: readonly string[];
  readonly revision: string;

  constructor(
    private readonly few: Detector,
    private readonly many: Detector,
  ) {
    this.features = many.features;
    this.revision = many.revision;
  }

  score(x: Float32Array, n: number): Promise<Float32Array> {
    return (n <= fewRows ? this.few : this.many).score(x, n);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.few[Symbol.asyncDispose]();
    await this.many[Symbol.asyncDispose]();
  }
}

function golden(detector: Detector, bundle: Bundle): Promise<unknown> {
  return verifyGolden(detector, bundle).catch((error: unknown) => error);
}

class OnnxDetector implements Detector {
  readonly features: readonly string[];
  readonly revision: string;
  #session: InferenceSession | undefined;

  private constructor(
    bundle: Bundle,
    session: InferenceSession,
    private readonly tensor: typeof Tensor,
  ) {
    this.features = forestColumns(bundle.card);
    this.revision = bundle.card.revision;
    this.#session = session;
  }

  static async create(bundle: Bundle, runtime: Runtime): Promise<OnnxDetector> {
    const session = await runtime.InferenceSession.create(bundle.onnx, sessionOptions);
    return new OnnxDetector(bundle, session, runtime.Tensor);
  }

  async score(x: Float32Array, n: number): Promise<Float32Array> {
    checkShape(x, n, this.features.length);
    const scores = new Float32Array(n);
    for (let from = 0; from < n; from += maxRowsARun) {
      scores.set(await this.#run(x, from, Math.min(n - from, maxRowsARun)), from);
    }
    return scores;
  }

  async #run(x: Float32Array, from: number, n: number): Promise<Float32Array> {
    if (!this.#session) throw new EdgewardError('EW_STOPPED', 'The model has been disposed.');
    const columns = this.features.length;
    const rows = x.subarray(from * columns, (from + n) * columns);
    const output = await this.#session.run({ x: new this.tensor('float32', rows, [n, columns]) });
    const scores = output.score?.data;
    if (!(scores instanceof Float32Array) || scores.length !== n) {
      throw new EdgewardError('EW_MODEL_SHAPE', `The model gave no ${n} scores.`);
    }
    return scores;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.release();
  }
}

/** The same trees without native code: as WebAssembly, or walked in TypeScript where they are not compiled. */
class ForestDetector implements Detector {
  readonly features: readonly string[];
  readonly revision: string;
  readonly #forest: Forest;
  readonly #compiled: CompiledForest | undefined;

  constructor(bundle: Bundle, compiled?: CompiledForest) {
    this.features = forestColumns(bundle.card);
    this.revision = bundle.card.revision;
    this.#forest = bundle.forest;
    this.#compiled = compiled;
  }

  async score(x: Float32Array, n: number): Promise<Float32Array> {
    checkShape(x, n, this.features.length);
    const scores = new Float32Array(n);
    if (this.#compiled) this.#compiled.score(x, n, scores);
    else scoreForest(this.#forest, x, n, scores);
    return scores;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function checkShape(x: Float32Array, n: number, columns: number): void {
  if (x.length === n * columns) return;
  const detail = `Expected ${n} rows of ${columns} features, got ${x.length} values.`;
  throw new EdgewardError('EW_MODEL_SHAPE', detail);
}
