import { mkdtempSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { systemClock } from '@edgeward/shared/clock';
import type { Command, CommandIo, CommandValues } from '@edgeward/shared/command';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import { removeFolder } from '@edgeward/shared/files';
import { Director } from './director.js';
import { finish } from './ending.js';
import { due } from './play.js';
import { sinkOptions, sinksOf } from './sinks.js';
import { onKeys, StatusLine } from './terminal.js';

const startedMs = Date.now() - performance.now();

/** `edgeward demo`: the whole chain on one machine, as a small play. */
export const command: Command = {
  name: 'demo',
  summary: 'Watch a simulated plant and a real recording flow, break, and be explained',
  examples: [
    'edgeward demo',
    'edgeward demo --duration 45 --json',
    'EDGEWARD_INFLUX_TOKEN=… edgeward demo --kafka 127.0.0.1:9092 --influx http://127.0.0.1:8086',
  ],
  options: {
    duration: {
      type: 'string',
      placeholder: 'SECONDS',
      description: 'End by itself after so long; default: run until stopped',
    },
    json: { type: 'boolean', description: 'Print nothing but one JSON object at the end; needs --duration' },
    port: {
      type: 'string',
      placeholder: 'PORT',
      description: 'Port of the page; default 8080, or any free one if that is taken',
    },
    seed: { type: 'string', placeholder: 'N', description: 'Seed of the simulated plant; default 1' },
    dir: {
      type: 'string',
      placeholder: 'FOLDER',
      description: 'Keep all data here; default: a temporary folder, deleted at the end',
    },
    ...sinkOptions,
  },
  run: play,
};

interface Options {
  readonly durationS: number;
  readonly json: boolean;
  readonly port: number | undefined;
  readonly seed: number;
  readonly dir: string | undefined;
  readonly sinks: readonly object[];
}

async function play(values: CommandValues, io: CommandIo): Promise<number> {
  const options = optionsOf(values);
  const directory = options.dir
    ? path.resolve(options.dir)
    : mkdtempSync(path.join(tmpdir(), 'edgeward-demo-'));
  const screen = new StatusLine(options.json ? io.stderr : io.stdout);
  const say = (text: string) => {
    if (!options.json) screen.line(text);
  };
  const stage = {
    directory,
    seed: options.seed,
    apiPort: await apiPort(options.port),
    brokerPort: await freePort(),
    sinks: options.sinks,
  };
  try {
    await using director = new Director(stage, text => say(`  ${clockTime()}  ${text}`));
    say(`Edgeward demo: three gateways and a collector, all on this machine. Data: ${directory}`);
    await director.start();
    await director.collectorUp(io.stop);
    say(`Live page: ${director.url}`);
    const firstRowMs = await watch(director, options, screen, say, io);
    return await finish(director, options, firstRowMs, screen, io);
  } finally {
    screen.end();
    if (!options.dir) await removeFolder(directory);
  }
}

/** Plays until the time is up or somebody stops it. @returns when the first row came */
async function watch(
  director: Director,
  options: Options,
  screen: StatusLine,
  say: (text: string) => void,
  io: CommandIo,
): Promise<number | null> {
  const quit = new AbortController();
  const stop = AbortSignal.any([io.stop, quit.signal]);
  const releaseKeys = options.json
    ? () => undefined
    : onKeys(io.stdin, key => press(key, director, say, quit));
  if (!options.json)
    say('Keys: f fault · c cut or heal a network · k kill -9 an agent · K kill -9 the collector · q quit');
  const audience = new Audience(director, say);
  let firstRowMs: number | null = null;
  let [playedS, firstAtMs] = [0, 0];
  while (!stop.aborted && elapsedMs() < options.durationS * 1000) {
    const seen = await audience.look();
    if (firstRowMs === null && seen.rows > 0) {
      firstRowMs = elapsedMs();
      firstAtMs = performance.now();
      say(`First rows after ${(firstRowMs / 1000).toFixed(1)} s.`);
    }
    if (firstRowMs !== null) {
      const nowS = (performance.now() - firstAtMs) / 1000;
      for (const scene of due(playedS, nowS)) scene.play(director);
      playedS = nowS;
    }
    screen.status(seen.status);
    await systemClock.sleep(firstRowMs === null ? 100 : 500, stop);
  }
  releaseKeys();
  return firstRowMs;
}

/** What can be seen of the play from outside, and what of it is new. */
class Audience {
  readonly #director: Director;
  readonly #say: (text: string) => void;
  readonly #known = new Set<string>();
  #seen = false;

  constructor(director: Director, say: (text: string) => void) {
    this.#director = director;
    this.#say = say;
  }

  async look(): Promise<{ rows: number; status: string[] }> {
    const { client } = this.#director;
    const [gateways, ledger, incidents, mails] = await Promise.all([
      client.gateways(),
      client.ledger(),
      client.incidents(),
      client.mails(),
    ]);
    if (!gateways?.length || !ledger || !incidents || !mails)
      return { rows: 0, status: [this.#seen ? 'collector is away …' : 'starting …'] };
    this.#seen = true;
    for (const { id, severity, title } of incidents) this.#once(id, `incident [${severity}] ${title}`);
    for (const { id, subject } of mails) this.#once(id, `mail: ${subject}`);
    const rows = ledger.gateways.reduce((sum, { stored }) => sum + stored, 0);
    const online = gateways.filter(gateway => gateway.online).length;
    const open = incidents.filter(({ state }) => state === 'open').length;
    const rate = gateways.reduce((sum, gateway) => sum + gateway.rowsPerSecond, 0);
    const balance = ledger.balanced ? 'ledger balanced' : 'ledger out of balance';
    const status = [
      `${online}/${gateways.length} gateways`,
      `${rows} rows`,
      `${rate.toFixed(0)}/s`,
      `incidents open: ${open}`,
      `mails: ${mails.length}`,
      balance,
      this.#director.url,
    ];
    return { rows, status };
  }

  #once(id: string, text: string): void {
    if (this.#known.has(id)) return;
    this.#known.add(id);
    this.#say(`  ${clockTime()}  ${text}`);
  }
}

const keyFaults = [
  ['pump-station', 'pump-2', 'blocked-valve'],
  ['cold-store', 'cold-room-1', 'spikes'],
  ['pump-station', 'feed-1', 'power-sag'],
] as const;
let keyFault = 0;

function press(key: string, director: Director, say: (text: string) => void, quit: AbortController): void {
  const [gateway, device, kind] = keyFaults[keyFault % keyFaults.length]!;
  if (key === 'q' || key === '\u0003') quit.abort();
  else if (key === 'K') director.killCollector();
  else if (key === 'k') director.killAgent(gateway);
  else if (key === 'c') director.isCut(gateway) ? director.heal(gateway) : director.cut(gateway);
  else if (key === 'f') {
    director.inject(gateway, device, kind);
    keyFault += 1;
  } else if (key === '?' || key === 'h')
    say('f fault · c cut or heal · k kill an agent · K kill the collector · q quit');
}

function optionsOf(values: CommandValues): Options {
  const number = (name: string, least: number, most: number) => {
    const text = values[name];
    if (text === undefined) return undefined;
    const value = Number(text);
    if (typeof text === 'string' && text.trim() !== '' && value >= least && value <= most) return value;
    throw new EdgewardError('EW_USAGE', `--${name} ${String(text)}: give a number from ${least} to ${most}.`);
  };
  const durationS = number('duration', 1, 1e7);
  const json = values.json === true;
  if (json && durationS === undefined)
    throw new EdgewardError('EW_USAGE', '--json needs --duration SECONDS, for example --duration 45.');
  return {
    durationS: durationS ?? Number.POSITIVE_INFINITY,
    json,
    port: number('port', 0, 65_535),
    seed: Math.trunc(number('seed', 0, 2 ** 31) ?? 1),
    dir: values.dir as string | undefined,
    sinks: sinksOf(values),
  };
}

/** The port asked for, or 8080, or any. */
async function apiPort(wanted: number | undefined): Promise<number> {
  if (wanted === undefined) return freePort(8080).catch(() => freePort());
  return freePort(wanted).catch((error: unknown) => {
    const detail = `--port ${wanted}: ${messageOf(error)}. Give another port, or 0 for any free one.`;
    throw new EdgewardError('EW_LISTEN', detail, { cause: error });
  });
}

function freePort(port = 0): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const { port: found } = server.address() as AddressInfo;
      server.close(() => resolve(found));
    });
  });
}

function elapsedMs(): number {
  return Math.round(Date.now() - startedMs);
}

function clockTime(): string {
  return new Date().toTimeString().slice(0, 8);
}
