/**
 * `npm run evaluate:health [-- --seeds 8 --days 21]`: false alarms of undisturbed fleets, and recall of faults that rules
 * do not tell, of what the collector does and of an Isolation Forest over the same features.
 */
import { parseArgs } from 'node:util';
import { type Arm, ForestArm, OwnPastArm } from './arms.js';
import { faults, type Kind, minutesADay } from './simulated.js';
import { falseEpisodes, findFault } from './trial.js';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '8' },
    days: { type: 'string', default: '21' },
    // Thresholds of the forest.
    features: { type: 'string', default: '0.6,0.65,0.7' },
    score: { type: 'string', default: '0.45,0.5,0.55' },
  },
});
const seeds = Array.from({ length: Number(values.seeds) }, (_, i) => i + 1);
const days = Number(values.days);
const fromDay = 3;
const lasts = 360;
const devicesOf = (kind: Kind) => (kind === 'pipeline-gateway' ? 10 : 2);
const forestArms = (['features', 'score'] as const).flatMap(smoothed =>
  values[smoothed].split(',').map((text): [string, (kind: Kind) => Arm] => {
    const make = (kind: Kind) => new ForestArm(kind, devicesOf(kind), Number(text), smoothed);
    return [`forest, ${smoothed} smoothed, > ${text}`, make];
  }),
);
const arms: [string, (kind: Kind) => Arm][] = [
  ['own past (shipped)', kind => new OwnPastArm(kind, devicesOf(kind))],
  ...forestArms,
];

for (const [name, make] of arms) {
  console.log(`\n${name}`);
  const weeks = ((days - fromDay) / 7) * seeds.length;
  for (const kind of ['pipeline-gateway', 'pipeline-sink'] as const) {
    const fleets = seeds.map(seed => ({ kind, devices: devicesOf(kind), seed, days }));
    const episodes = fleets.map(fleet => falseEpisodes(fleet, make(kind), fromDay));
    const sum = episodes.reduce((a, b) => a + b, 0);
    const rate = (sum / weeks).toFixed(2);
    console.log(
      `  false, ${devicesOf(kind)} × ${kind}: ${rate} a week (${episodes.join(' ')} in ${days - fromDay} days)`,
    );
  }
  for (const fault of faults) {
    const found = seeds
      .map(seed => {
        const from = (9 + (seed % 7)) * minutesADay + ((seed * 397) % minutesADay);
        return findFault({ kind: fault.kind, devices: 1, seed, days }, make(fault.kind), fault, from, lasts)
          .minutes;
      })
      .filter(minutes => minutes !== undefined)
      .sort((a, b) => a - b);
    const median = found[Math.floor(found.length / 2)];
    console.log(`  ${fault.name}: ${found.length} of ${seeds.length}, median ${median ?? '-'} min`);
  }
}
