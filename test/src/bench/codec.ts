/** The block codec: bytes and CPU a reading, beside JSON in the same run. */

import { type CodecInput, plantInputs, skabInputs } from './codec-input.js';
import { blockPeer, jsonReadings, jsonRows, type Peer } from './codec-peers.js';
import { type Machine, machine } from './machine.js';
import { machineText } from './print.js';
import { type Spread, spreadOf } from './statistics.js';
import { figure, ratio, table } from './table.js';

export interface CodecOptions {
  readonly rounds: number;
  /** Folder of the SKAB data; undefined = left out. */
  readonly skab: string | undefined;
  readonly onProgress: (text: string) => void;
}

/** Per reading. */
interface Figures {
  readonly bytes: number;
  readonly encodeNs: Spread;
  readonly decodeNs: Spread;
}

export interface CodecResult {
  readonly benchmark: 'codec';
  readonly machine: Machine;
  readonly loadAfter: number;
  readonly rounds: number;
  readonly inputs: readonly {
    readonly name: string;
    readonly readings: number;
    readonly peers: Readonly<Record<string, Figures>>;
  }[];
}

/** CPU time is counted in steps; so much of it makes one measurement, µs. */
const measuredUs = 60_000;

export async function benchCodec(options: CodecOptions): Promise<CodecResult> {
  const before = machine();
  const plants = await plantInputs(['none', 'rounded', 'full']);
  const inputs = [...plants, ...(options.skab === undefined ? [] : skabInputs(options.skab))];
  const results: CodecResult['inputs'][number][] = [];
  for (const input of inputs) {
    options.onProgress(`${input.name}, ${input.readings} readings a block`);
    results.push({ name: input.name, readings: input.readings, peers: compare(input, options.rounds) });
  }
  return {
    benchmark: 'codec',
    machine: before,
    loadAfter: machine().load,
    rounds: options.rounds,
    inputs: results,
  };
}

/** Round after round of every peer; the first one only warms up. */
function compare({ blocks, readings }: CodecInput, rounds: number): Record<string, Figures> {
  const peers = [blockPeer(blocks[0]!), jsonRows, jsonReadings];
  const runs = new Map<Peer, { bytes: number; encodeNs: number; decodeNs: number }[]>();
  for (let round = 0; round <= rounds; round++) {
    for (const peer of peers) {
      const encoded = blocks.map((block, i) => peer.encode(block, i + 1));
      const total = blocks.length * readings;
      const bytes = encoded.reduce((sum, { length }) => sum + length, 0) / total;
      const encodeNs = cpuNs(() => blocks.forEach((block, i) => void peer.encode(block, i + 1))) / total;
      const decodeNs = cpuNs(() => encoded.forEach(one => void peer.decode(one))) / total;
      if (round > 0) runs.set(peer, [...(runs.get(peer) ?? []), { bytes, encodeNs, decodeNs }]);
    }
  }
  return Object.fromEntries(
    [...runs].map(([{ name }, figures]) => [
      name,
      {
        bytes: figures[0]!.bytes,
        encodeNs: spreadOf(figures.map(({ encodeNs }) => encodeNs)),
        decodeNs: spreadOf(figures.map(({ decodeNs }) => decodeNs)),
      },
    ]),
  );
}

/** User and system time of one call, ns, from as many as it takes to measure it. */
function cpuNs(work: () => void): number {
  const start = process.cpuUsage();
  for (let calls = 1; ; calls++) {
    work();
    const { user, system } = process.cpuUsage(start);
    if (user + system >= measuredUs) return ((user + system) * 1000) / calls;
  }
}

export function codecText(result: CodecResult): string {
  const rows = result.inputs.flatMap(({ name, readings, peers }) => {
    const [block] = Object.values(peers);
    const cpu = ({ encodeNs, decodeNs }: Figures) => encodeNs.median + decodeNs.median;
    return Object.entries(peers).map(([peer, figures]) => [
      `${name}, ${readings}: ${peer}`,
      figures.bytes.toFixed(2),
      figure(figures.encodeNs.median),
      figure(figures.decodeNs.median),
      figure(cpu(figures)),
      ratio(figures.bytes, block?.bytes),
      ratio(cpu(figures), block && cpu(block)),
    ]);
  });
  const head = ['', 'bytes/reading', 'encode ns', 'decode ns', 'together', 'bytes ×', 'CPU ×'];
  return [
    machineText(result.machine, result.loadAfter),
    `Readings a block as given, ${result.rounds} rounds, CPU time, medians; × = compared with block`,
    table([head, ...rows]),
  ].join('\n\n');
}
