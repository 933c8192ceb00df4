/** `npm run bench -- NAME`: measures, prints a table, writes the figures as JSON where asked to. */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { benchChain } from './chain.js';
import { chainText } from './print.js';

const help = `Measure Edgeward on this machine.

Usage: npm run bench -- chain [--json FILE] [--rounds N] [--rows N] [--idle SECONDS]

  chain      agent and collector as real processes: CPU a reading, bytes on the wire, rows a second, memory
  --json     also write all figures there
  --rounds   runs of each variant, default 3
  --rows     rows a run, default 200000
  --idle     how long idle agents are watched, default 20
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    rows: { type: 'string', default: '200000' },
    idle: { type: 'string', default: '20' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

function count(name: 'rounds' | 'rows' | 'idle'): number {
  const value = Number(values[name]);
  if (Number.isInteger(value) && value > 0) return value;
  throw new TypeError(`--${name} must be a whole number above 0`);
}

if (values.help || positionals.length !== 1 || positionals[0] !== 'chain') {
  process.stderr.write(help);
  process.exitCode = values.help ? 0 : 2;
} else {
  const result = await benchChain({
    rounds: count('rounds'),
    rows: count('rows'),
    idleSeconds: count('idle'),
    onProgress: text => process.stderr.write(`${text}\n`),
  });
  process.stdout.write(`${chainText(result)}\n`);
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, sixDigits, 2)}\n`);
}

function sixDigits(_key: string, value: unknown): unknown {
  return typeof value === 'number' ? Number(value.toPrecision(6)) : value;
}
