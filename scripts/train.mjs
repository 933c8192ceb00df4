// Makes the models that we ship, from the simulated plant and the recording. Same bytes every time.
// Usage: npm run train [-- NAME...]
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { root, run } from './steps.mjs';

const edgeward = path.join(root, 'agent', 'bin', 'edgeward.js');
const recording = path.join(root, 'simulators', 'recordings', 'ambient_temperature_system_failure.csv');
/** Eight devices over a day, four times: the demo's step, all hours, and the spread between devices. */
const seeds = [1, 2, 3, 4];
const plant = ['--devices', '8', '--hours', '24', '--step-ms', '2000'];
/** Line of the recording on which its first labelled failure begins, see simulators/recordings/README.md. */
const firstFailure = 3542;

const models = {
  pump: simulated('pump', '1.5'),
  'cold-room': simulated('cold-room', '1'),
  // Mains voltage wanders freely: more room above what a day has shown.
  'power-feed': simulated('power-feed', '2'),
  // Hourly rows: an average over many of them would come hours late.
  'office-temperature': {
    type: 'office',
    inputs: recorded,
    options: [
      ...['--map', 'value=temperature', '--smoothing', '4', '--margin', '0.1'],
      ...['--source', 'NAB ambient_temperature_system_failure.csv, lines before the first labelled failure'],
    ],
  },
};

function simulated(type, margin) {
  const source = `edgeward simulate --type ${type} ${plant.join(' ')} --seed ${seeds.join(', ')}`;
  const inputs = folder => Promise.all(seeds.map(seed => simulate(type, seed, folder)));
  return { type, inputs, options: ['--margin', margin, '--source', source] };
}

async function simulate(type, seed, folder) {
  const file = path.join(folder, `${type}-${seed}.csv`);
  await run(process.execPath, [
    edgeward,
    'simulate',
    '--type',
    type,
    ...plant,
    '--seed',
    seed,
    '--out',
    file,
  ]);
  return file;
}

async function recorded(folder) {
  const file = path.join(folder, 'before-first-failure.csv');
  const lines = (await readFile(recording, 'utf8')).split('\n').slice(0, firstFailure - 1);
  await writeFile(file, `${lines.join('\n')}\n`);
  return [file];
}

async function train(name) {
  const { type, inputs, options } = models[name];
  const folder = await mkdtemp(path.join(tmpdir(), 'edgeward-train-'));
  try {
    const files = (await inputs(folder)).flatMap(file => ['--input', file]);
    const out = path.join(root, 'models', 'bundles', name);
    await run(process.execPath, [edgeward, 'train', ...files, '--type', type, '--out', out, ...options]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

for (const name of process.argv.length > 2 ? process.argv.slice(2) : Object.keys(models)) await train(name);
