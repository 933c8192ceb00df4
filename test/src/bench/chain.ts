/** The whole chain as real processes: what a reading costs, and what an idle agent holds. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { Workbench } from '../support/processes.js';
import { root } from '../support/root.js';
import { type ChainFigures, type ChainVariant, runChain } from './chain-run.js';
import { type IdleFigures, runIdle } from './idle-run.js';
import { type Machine, machine } from './machine.js';
import { pumpInput } from './pump-input.js';
import { type Spread, summarise } from './statistics.js';

export interface ChainOptions {
  readonly rounds: number;
  /** Rows of the input. */
  readonly rows: number;
  readonly idleSeconds: number;
  readonly onProgress: (text: string) => void;
}

export interface ChainResult {
  readonly benchmark: 'chain';
  readonly machine: Machine;
  readonly loadAfter: number;
  readonly input: { readonly rows: number; readonly fields: number };
  readonly rounds: number;
  readonly chain: Readonly<Record<string, Readonly<Record<string, Spread>>>>;
  readonly idle: Readonly<Record<string, Readonly<Record<string, Spread>>>>;
  readonly notes: readonly string[];
}

/** Round after round of every variant: what the machine does meanwhile falls on all of them alike. */
export async function benchChain(options: ChainOptions): Promise<ChainResult> {
  const { rounds, onProgress } = options;
  const before = machine();
  await using bench = new Workbench();
  const input = pumpInput(bench.folder, options.rows);
  const { variants, notes } = chainVariants();
  const chain = new Map<string, ChainFigures[]>(variants.map(({ name }) => [name, []]));
  const idle = new Map<string, IdleFigures[]>();
  for (let round = 1; round <= rounds; round++) {
    for (const [i, variant] of variants.entries()) {
      onProgress(`round ${round} of ${rounds}: ${variant.name}`);
      chain.get(variant.name)?.push(await runChain(bench, variant, input, `${round}-${i}`));
    }
  }
  onProgress(`idle agents, ${options.idleSeconds} s`);
  for (const [name, figures] of Object.entries(await runIdle(bench, options.idleSeconds, '1')))
    idle.set(name, [figures]);
  return {
    benchmark: 'chain',
    machine: before,
    loadAfter: machine().load,
    input: { rows: input.rows, fields: input.fields },
    rounds,
    chain: summaries(chain),
    idle: summaries(idle),
    notes,
  };
}

function summaries(runs: ReadonlyMap<string, readonly Readonly<Record<string, number | undefined>>[]>) {
  return Object.fromEntries([...runs].map(([name, figures]) => [name, summarise(figures)]));
}

function chainVariants(): { variants: ChainVariant[]; notes: string[] } {
  const model = path.join(root, 'models', 'bundles', 'pump');
  const variants = [false, true].flatMap(scored =>
    [false, true].map(fileSink => ({
      name: `${scored ? 'model' : 'no model'}, ${fileSink ? 'file sink' : 'no sink'}`,
      model: scored ? model : undefined,
      fileSink,
    })),
  );
  if (existsSync(path.join(model, 'card.json'))) return { variants, notes: [] };
  return {
    variants: variants.filter(variant => variant.model === undefined),
    notes: ['models/bundles/pump is not there: nothing was scored'],
  };
}
