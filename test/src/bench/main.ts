/** `npm run bench -- NAME`: measures, prints a table, writes the figures as JSON where asked to. */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { benchChain } from './chain.js';
import { benchCodec, codecText } from './codec.js';
import { chainText } from './print.js';

const help = `Measure Edgeward on this machine.

Usage: npm run bench -- chain [--json FILE] [--rounds N] [--rows N] [--idle SECONDS]
       npm run bench -- codec [--json FILE] [--rounds N] [--skab FOLDER]

  chain      agent and collector as real processes: CPU a reading, bytes on the wire, rows a second, memory
  codec      bytes and CPU a reading of the block codec, beside JSON and gzip
  --json     also write all figures there
  --rounds   runs of each variant, default 3
  --rows     rows a run, default 200000
  --idle     how long idle agents are watched, default 20
  --skab     where the SKAB data set is, to measure with real pumps as well
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    rows: { type: 'string', default: '200000' },
    idle: { type: 'string', default: '20' },
    skab: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

function count(name: 'rounds' | 'rows' | 'idle'): number {
  const value = Number(values[name]);
  if (Number.isInteger(value) && value > 0) return value;
  throw new TypeError(`--${name} must be a whole number above 0`);
}

const onProgress = (text: string) => void process.stderr.write(`${text}\n`);

/** Each returns its figures and their text. */
const benches: Readonly<Record<string, () => Promise<readonly [object, string]>>> = {
  chain: async () => {
    const [rounds, rows, idleSeconds] = [count('rounds'), count('rows'), count('idle')];
    const result = await benchChain({ rounds, rows, idleSeconds, onProgress });
    return [result, chainText(result)];
  },
  codec: async () => {
    const result = await benchCodec({ rounds: count('rounds'), skab: values.skab, onProgress });
    return [result, codecText(result)];
  },
};

const bench = positionals.length === 1 ? benches[positionals[0]!] : undefined;
if (values.help || !bench) {
  process.stderr.write(help);
  process.exitCode = values.help ? 0 : 2;
} else {
  const [result, text] = await bench();
  process.stdout.write(`${text}\n`);
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, sixDigits, 2)}\n`);
}

function sixDigits(_key: string, value: unknown): unknown {
  return typeof value === 'number' ? Number(value.toPrecision(6)) : value;
}
