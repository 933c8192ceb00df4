import type { Readable, Writable } from 'node:stream';

export interface CommandOption {
  readonly type: 'string' | 'boolean';
  readonly short?: string;
  readonly multiple?: boolean;
  /** What stands for the value in the help text, for example FILE. */
  readonly placeholder?: string;
  readonly description: string;
  readonly required?: boolean;
}

/** A word that a command needs right after its own, for example the kind in `edgeward evaluate tabular`. */
export interface CommandOperand {
  /** Of its value among the command's values. */
  readonly name: string;
  /** What stands for it in the help text, for example KIND. */
  readonly placeholder: string;
  /** All that it may be, each with a summary. */
  readonly choices: Readonly<Record<string, string>>;
}

/** What a command sees of the world. `stop` fires at the first SIGINT or SIGTERM, `deadline` some seconds later. */
export interface CommandIo {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly stop: AbortSignal;
  readonly deadline: AbortSignal;
  /** Only for a command that the table of cli.ts says `hearsHangUps` of. */
  readonly hangUps?: HangUpSource;
}

/** SIGHUP asks to read the configuration again. One that came before anybody listened waits for who does. */
export interface HangUpSource {
  listen(listener: () => void): void;
}

export type CommandValues = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

/** One word behind `edgeward`. A module named in the table of cli.ts exports it as `command`. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  /** Examples for the help text, one command line each. */
  readonly examples: readonly string[];
  /** Absent: the command takes options only. */
  readonly operand?: CommandOperand;
  readonly options: Readonly<Record<string, CommandOption>>;
  /** Resolves with the exit code. Errors of ours are printed as one clear line by the caller. */
  run(values: CommandValues, io: CommandIo): Promise<number>;
}

/** For commands that run from a file. */
export const configFileOption: CommandOption = {
  type: 'string',
  short: 'c',
  placeholder: 'FILE',
  description: 'Configuration file (YAML)',
  required: true,
};
