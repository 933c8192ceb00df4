import type { Command, CommandOption } from '../command.js';
import { spelled } from './args.js';
import type { TableEntry } from './table.js';

const helpOption: CommandOption = { type: 'boolean', short: 'h', description: 'show this help' };
const versionOption: CommandOption = { type: 'boolean', description: 'show the version' };

/** What `edgeward --help` prints. */
export function globalHelp(table: readonly TableEntry[]): string {
  const words = table.map(({ word, summary }): Row => [word, summary]);
  const options = [optionRow('help', helpOption), optionRow('version', versionOption)];
  return [
    'Edgeward: sensor data from the edge, no reading lost without being counted.',
    '',
    'Usage: edgeward COMMAND [OPTIONS]',
    '',
    'Commands:',
    ...columns(words),
    '',
    'Options:',
    ...columns(options),
    '',
    'More about one: edgeward COMMAND --help',
    '',
  ].join('\n');
}

/** What `edgeward COMMAND --help` prints. */
export function commandHelp(word: string, command: Command): string {
  const options = { ...command.options, help: helpOption };
  const { operand } = command;
  const choices = operand ? ['', `${operand.placeholder}:`, ...columns(Object.entries(operand.choices))] : [];
  const required = Object.entries(command.options).filter(([, option]) => option.required);
  const needed = required
    .map(([long, option]) => ` ${spelled(long, option).replace(/, --[\w-]+/, '')}`)
    .join('');
  const subject = operand ? ` ${operand.placeholder}` : '';
  const examples =
    command.examples.length > 0 ? ['', 'Examples:', ...command.examples.map(line => `  ${line}`)] : [];
  return [
    sentence(command.summary),
    '',
    `Usage: edgeward ${word}${subject}${needed} [OPTIONS]`,
    ...choices,
    '',
    'Options:',
    ...columns(Object.entries(options).map(([long, option]) => optionRow(long, option))),
    ...examples,
    '',
  ].join('\n');
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
}

type Row = readonly [string, string];

function optionRow(long: string, option: CommandOption): Row {
  const indented = option.short === undefined ? `    ${spelled(long, option)}` : spelled(long, option);
  return [indented, `${option.description}${option.required ? ' (required)' : ''}`];
}

const width = 96;

function columns(rows: readonly Row[]): string[] {
  const left = Math.max(...rows.map(([text]) => text.length)) + 4;
  return rows.flatMap(([text, about]) => {
    const [first = '', ...rest] = wrap(about, Math.max(30, width - left));
    return [`  ${text.padEnd(left - 2)}${first}`, ...rest.map(line => ' '.repeat(left) + line)];
  });
}

function wrap(text: string, room: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > room) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
