/** The block codec's rows, out of its own bench. */
import { benchCodec, type CodecResult } from './codec.js';
import type { DeliveryContext } from './delivery-context.js';
import type { Figure } from './figures.js';

const goals = new Map([
  [80, 4.2],
  [480, 1.6],
  [4800, 0.9],
]);

export async function wireFigures({ full, skab }: DeliveryContext): Promise<Figure[]> {
  const result = await benchCodec({ rounds: full ? 5 : 2, skab, onProgress: () => undefined });
  const plants = [...goals].flatMap(([readings, atMost]) => plantFigures(result, readings, atMost));
  return [...plants, skabFigure(result), ...cpuFigures(result)];
}

/** The plant of 10 devices with 8 channels has the goal; the others stand beside it. */
function plantFigures({ inputs }: CodecResult, readings: number, atMost: number): Figure[] {
  return inputs
    .filter(input => input.readings === readings && !/SKAB|rounded/.test(input.name))
    .map(({ name, peers }, i) => ({
      name: `bytes a reading on the wire, blocks of ${readings}: ${name}`,
      goal: i === 0 ? { atMost } : undefined,
      measured: peers.block?.bytes,
    }));
}

function skabFigure({ inputs }: CodecResult): Figure {
  const input = inputs.find(({ name }) => name.includes('SKAB'));
  return {
    name: 'bytes a reading on the wire, blocks of 4,800: SKAB water pumps',
    goal: { atMost: 2.3 },
    measured: input?.peers.block?.bytes,
    note: input ? undefined : 'needs the data set: give its folder in EDGEWARD_SKAB or with --skab',
  };
}

function cpuFigures({ inputs }: CodecResult): Figure[] {
  const input = inputs.find(({ readings }) => readings === 4800)!;
  const [block, ...others] = Object.entries(input.peers).map(([name, { encodeNs, decodeNs }]) => ({
    name,
    ns: encodeNs.median + decodeNs.median,
  }));
  const beside = others.map(({ name, ns }) => ({
    name: `encode + decode, ${input.name}: times cheaper than ${name}`,
    // The JSON has 123 bytes a reading: an object for each.
    goal: name.includes('a reading') ? { atLeast: 20 } : undefined,
    measured: ns / block!.ns,
  }));
  return [
    {
      name: `encode + decode, ${input.name}, blocks of 4,800: ns CPU a reading`,
      goal: { atMost: 100 },
      measured: block!.ns,
    },
    ...beside,
  ];
}
