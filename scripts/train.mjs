// Makes the models that we ship, from the simulated plant and the recording. Same bytes every time.
// Usage: npm run train [-- NAME...]
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { root, run } from './steps.mjs';

const edgeward = path.join(root, 'agent', 'bin', 'edgeward.js');
const recording = path.join(root, 'simulators', 'recordings', 'ambient_temperature_system_failure.csv');
/** Eight devices over four days begun at different hours: the demo's step, and the spread between devices. */
const plant = ['--devices', '8', '--hours', '24', '--step-ms', '2000'];
const days = [
  { seed: '1', start: '2026-01-05T00:00:00Z' },
  { seed: '2', start: '2026-04-11T06:00:00Z' },
  { seed: '3', start: '2026-07-16T12:00:00Z' },
  { seed: '4', start: '2026-10-23T18:00:00Z' },
];
/** Line of the recording on which its first labelled failure begins, see simulators/recordings/README.md. */
const firstFailure = 3542;

const models = {
  pump: simulated('pump', ['--method', 'channels', '--alarms-a-day', '0.001']),
  // Slow: its means take long to settle.
  'cold-room': simulated('cold-room', ['--warm-up', '150', '--margin', '0.5']),
  // Mains voltage wanders freely: more room above what a day has shown.
  'power-feed': simulated('power-feed', ['--method', 'channels', '--alarms-a-day', '0.0001']),
  // Hourly rows: an average over many of them would come hours late.
  'office-temperature': {
    type: 'office',
    inputs: recorded,
    options: [
      ...['--map', 'value=temperature', '--smoothing', '4', '--margin', '0.1'],
      ...[
        '--source',
        'NAB ambient_temperature_system_failure.csv, in degrees Celsius, lines before the first labelled failure',
      ],
    ],
  },
};

function simulated(type, options) {
  const when = days.map(({ seed, start }) => `--seed ${seed} --start ${start}`).join(' and ');
  const source = `edgeward simulate --type ${type} ${plant.join(' ')} with ${when}`;
  const inputs = folder => Promise.all(days.map(day => simulate(type, day, folder)));
  return { type, inputs, options: [...options, '--source', source] };
}

async function simulate(type, { seed, start }, folder) {
  const file = path.join(folder, `${type}-${seed}.csv`);
  const when = ['--seed', seed, '--start', start];
  await run(process.execPath, [edgeward, 'simulate', '--type', type, ...plant, ...when, '--out', file]);
  return file;
}

async function recorded(folder) {
  const file = path.join(folder, 'before-first-failure.csv');
  const [head, ...rows] = (await readFile(recording, 'utf8')).split('\n').slice(0, firstFailure - 1);
  await writeFile(file, `${[head, ...rows.map(inCelsius)].join('\n')}\n`);
  return [file];
}

/** As the demo's replay does it. */
function inCelsius(row) {
  const [timestamp, value] = row.split(',');
  return `${timestamp},${Number(value) * (5 / 9) - 160 / 9}`;
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
