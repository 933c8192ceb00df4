/** `npm run bench -- NAME`: measures, prints a table, writes the figures as JSON where asked to. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../support/root.js';
import { benchChain } from './chain.js';
import { benchCodec, codecText } from './codec.js';
import { benchDelivery, deliveryText, sections } from './delivery.js';
import { benchDetection, detectionSections, detectionText } from './detection.js';
import { benchHttp, httpText } from './http.js';
import { benchMqtt, mqttText } from './mqtt-source.js';
import { chainText } from './print.js';
import { benchSinks, sinkSections, sinksText } from './sinks.js';

const help = `Measure Edgeward on this machine.

Usage: npm run bench -- delivery [--full] [--only SECTION,SECTION] [--skab FOLDER] [--json FILE]
       npm run bench -- chain [--json FILE] [--rounds N] [--rows N] [--idle SECONDS]
       npm run bench -- codec [--json FILE] [--rounds N] [--skab FOLDER]
       npm run bench -- http [--json FILE] [--seconds N] [--connections N] [--pipelined N]
       npm run bench -- mqtt [--json FILE] [--messages N] [--window N] [--collector]
       npm run bench -- sinks [--full] [--only SECTION,SECTION] [--json FILE]
       npm run bench -- detection [--only SECTION,SECTION]

  delivery      every figure that delivery has a goal for, beside its goal; all of them also go to
                test/bench/delivery.json
  chain         agent and collector as real processes: CPU a reading, bytes on the wire, rows a second, memory
  codec         bytes and CPU a reading of the block codec, beside JSON and gzip
  http          what the http source takes, every yes behind an fsync
  mqtt          what the mqtt source takes, every acknowledgement behind an fsync
  sinks         what the sinks store a second beside their real servers, and how they come through an outage
  detection     how well faults are found, and what it costs; each section also goes to
                test/bench/detection-SECTION.json; data: EDGEWARD_DETECTION_DATA, see test/detection/README.md
  --json        also write all figures there
  --full        about an hour instead of minutes: long enough for small differences
  --only        these sections, of delivery: ${Object.keys(sections).join(', ')};
                of sinks: ${Object.keys(sinkSections).join(', ')};
                of detection: ${Object.keys(detectionSections).join(', ')}
  --rounds      runs of each variant, default 3
  --rows        rows a run, default 200000
  --idle        how long idle agents are watched, default 20
  --skab        where the SKAB data set is, to measure with real pumps as well; default: EDGEWARD_SKAB
  --seconds     how long each is pushed to, default 5
  --connections of the pushing client, default 64
  --pipelined   requests under way on each of them, default 2
  --messages    messages a run, default 300000
  --window      messages under way without an acknowledgement, default 1000
  --collector   with one, so that nothing stays in the outbox
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'string' },
    full: { type: 'boolean', default: false },
    only: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    rows: { type: 'string', default: '200000' },
    idle: { type: 'string', default: '20' },
    skab: { type: 'string' },
    seconds: { type: 'string', default: '5' },
    connections: { type: 'string', default: '64' },
    pipelined: { type: 'string', default: '2' },
    messages: { type: 'string', default: '300000' },
    window: { type: 'string', default: '1000' },
    collector: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const skab = values.skab ?? process.env.EDGEWARD_SKAB;

type Count = 'rounds' | 'rows' | 'idle' | 'seconds' | 'connections' | 'pipelined' | 'messages' | 'window';

function count(name: Count): number {
  const value = Number(values[name]);
  if (Number.isInteger(value) && value > 0) return value;
  throw new TypeError(`--${name} must be a whole number above 0`);
}

const onProgress = (text: string) => void process.stderr.write(`${text}\n`);

/** Each returns its figures and their text. */
const benches: Readonly<Record<string, () => Promise<readonly [object, string]>>> = {
  delivery: async () => {
    const { full, only } = values;
    const result = await benchDelivery({ full, skab, only: only?.split(','), onProgress });
    // A part of the table must not take the place of the whole.
    if (only === undefined) write(path.join(root, 'test', 'bench', 'delivery.json'), result);
    return [result, deliveryText(result)];
  },
  chain: async () => {
    const [rounds, rows, idleSeconds] = [count('rounds'), count('rows'), count('idle')];
    const result = await benchChain({ rounds, rows, idleSeconds, onProgress });
    return [result, chainText(result)];
  },
  codec: async () => {
    const result = await benchCodec({ rounds: count('rounds'), skab, onProgress });
    return [result, codecText(result)];
  },
  http: async () => {
    const [seconds, connections, pipelined] = [count('seconds'), count('connections'), count('pipelined')];
    const result = await benchHttp({ seconds, connections, pipelined, onProgress });
    return [result, httpText(result)];
  },
  mqtt: async () => {
    const [messages, window] = [count('messages'), count('window')];
    const result = await benchMqtt({ messages, window, collector: values.collector, onProgress });
    return [result, mqttText(result)];
  },
  sinks: async () => {
    const result = await benchSinks({ full: values.full, only: values.only?.split(','), onProgress });
    return [result, sinksText(result)];
  },
  detection: async () => {
    const results = await benchDetection(values.only?.split(','), onProgress);
    for (const result of results) {
      // What could not be measured must not take the place of what was.
      const failed = result.figures.some(one => one.failed);
      if (!failed) write(path.join(root, 'test', 'bench', `${result.benchmark}.json`), result);
    }
    return [results, detectionText(results)];
  },
};

const bench = positionals.length === 1 ? benches[positionals[0]!] : undefined;
if (values.help || !bench) {
  process.stderr.write(help);
  process.exitCode = values.help ? 0 : 2;
} else {
  const [result, text] = await bench();
  process.stdout.write(`${text}\n`);
  if (values.json !== undefined) write(values.json, result);
}

function write(file: string, result: object): void {
  writeFileSync(file, `${JSON.stringify(result, sixDigits, 2)}\n`);
}

function sixDigits(_key: string, value: unknown): unknown {
  return typeof value === 'number' ? Number(value.toPrecision(6)) : value;
}
