/**
 * The `edgeward` command line. It stays quick to load: no other workspace, no schema library and no YAML is
 * imported before the command that needs it.
 */
import { readFile } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';
import { asksForHelp, parseValues, usage } from './cli/args.js';
import { HangUps } from './cli/hang-ups.js';
import { commandHelp, globalHelp } from './cli/help.js';
import { loadCommand } from './cli/load.js';
import { type SignalSource, Stopper } from './cli/stop.js';
import { commandTable, type TableEntry } from './cli/table.js';
import { EdgewardError, type ErrorCode, messageOf } from './errors.js';
import { didYouMean } from './nearest.js';

/** What a test may put in place of the process. */
export interface MainIo {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly signals: SignalSource;
  readonly commands: readonly TableEntry[];
  /** Between the first signal and `deadline`. */
  readonly graceMs: number;
  /** Show stacks. */
  readonly debug: boolean;
}

function processIo(): MainIo {
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    signals: process,
    commands: commandTable,
    graceMs: 10_000,
    debug: process.env.EDGEWARD_DEBUG === '1',
  };
}

/**
 * Runs one command line.
 * @param argv  without node and script
 * @returns     exit code: 0 done, 1 failed, 2 command line or configuration not understood
 */
export async function main(argv: readonly string[], io: Partial<MainIo> = {}): Promise<number> {
  const all = { ...processIo(), ...io };
  try {
    return await dispatch(argv, all);
  } catch (error) {
    return report(error, all);
  }
}

async function dispatch(argv: readonly string[], io: MainIo): Promise<number> {
  const [word, ...rest] = argv;
  if (word === '--version') return print(io, `${await version()}\n`);
  if (word === 'help' && rest[0] !== undefined) return dispatch([rest[0], '--help'], io);
  if (word === '--help' || word === '-h' || word === 'help') return print(io, globalHelp(io.commands));
  if (word === undefined) {
    io.stderr.write(globalHelp(io.commands));
    return 2;
  }
  const entry = io.commands.find(known => known.word === word);
  if (!entry) throw unknownCommand(word, io.commands);
  return runToEnd(stopper => runCommand(entry, rest, io, stopper), io);
}

/** Signals are heard from here on: loading takes a second on a small machine, and a stop then is a stop. */
async function runCommand(
  entry: TableEntry,
  argv: readonly string[],
  { stdin, stdout, stderr, signals }: MainIo,
  stopper: Stopper,
): Promise<number> {
  const { stop, deadline } = stopper;
  const hangUps = entry.hearsHangUps && new HangUps(signals, () => stopper.askOnce());
  const command = await loadCommand(entry);
  if (asksForHelp(argv)) {
    stdout.write(commandHelp(entry.word, command));
    return 0;
  }
  const values = parseValues(entry.word, command, argv);
  return command.run(values, { stdin, stdout, stderr, stop, deadline, ...(hangUps && { hangUps }) });
}

function print(io: MainIo, text: string): Promise<number> {
  return runToEnd(async () => {
    io.stdout.write(text);
    return 0;
  }, io);
}

function unknownCommand(word: string, commands: readonly TableEntry[]): EdgewardError {
  const words = commands.map(entry => entry.word);
  const what = word.startsWith('-') ? 'option' : 'command';
  return usage('', `There is no ${what} ${word}.${didYouMean(word, words)} Commands: ${words.join(', ')}.`);
}

/** With signals heard, and with a reader of standard output that may go away: that is a quiet end. */
async function runToEnd(run: (stopper: Stopper) => Promise<number>, io: MainIo): Promise<number> {
  using stopper = new Stopper(io.signals, io.graceMs);
  let failure: unknown;
  const onError = (error: unknown) => {
    failure ??= error;
    stopper.askOnce();
  };
  io.stdout.on('error', onError);
  io.stderr.on('error', ignore);
  try {
    const code = await run(stopper);
    // Errors of a write come after it; an empty one waits for them.
    await new Promise<void>(resolve => io.stdout.write('', () => resolve()));
    if (failure === undefined) return code;
  } catch (error) {
    failure ??= error;
  } finally {
    // A broken stream fails again at every late write: then somebody must go on listening.
    if (failure === undefined) io.stdout.off('error', onError);
    io.stderr.off('error', ignore);
  }
  if (isBrokenPipe(failure)) return 0;
  throw failure;
}

function ignore(): void {}

function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EPIPE';
}

const usageCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'EW_USAGE',
  'EW_CONFIG_FILE',
  'EW_CONFIG_INVALID',
  'EW_RULE_SYNTAX',
  'EW_RULE_FIELD',
]);

function report(error: unknown, io: MainIo): number {
  const ours = error instanceof EdgewardError;
  io.stderr.write(`edgeward: ${ours ? `${error.code}: ` : ''}${messageOf(error)}\n`);
  if (io.debug && error instanceof Error) io.stderr.write(`${stackOf(error)}\n`);
  else if (!ours) io.stderr.write('This was not foreseen. EDGEWARD_DEBUG=1 shows where it happened.\n');
  return ours && usageCodes.has(error.code) ? 2 : 1;
}

function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${stackOf(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}

async function version(): Promise<string> {
  const text = await readFile(new URL('../package.json', import.meta.url), 'utf8');
  const found: unknown = JSON.parse(text);
  return typeof found === 'object' && found !== null && 'version' in found
    ? String(found.version)
    : 'unknown';
}
