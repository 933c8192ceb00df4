/** What options of a command line hold, or EW_USAGE with the option, its value and what it may be. */
import type { CommandOption, CommandValues } from '@edgeward/shared/command';
import { EdgewardError } from '@edgeward/shared/errors';
import { namePattern } from '@edgeward/shared/topics';

export function wholeOf(
  values: CommandValues,
  option: string,
  otherwise: number,
  least: number,
  most: number,
): number {
  const value = numberOf(values, option, otherwise, least, most);
  if (Number.isInteger(value)) return value;
  throw new EdgewardError('EW_USAGE', `--${option} ${value}: give a whole number from ${least} to ${most}.`);
}

export function numberOf(
  values: CommandValues,
  option: string,
  otherwise: number,
  least: number,
  most: number,
): number {
  const text = textOf(values, option);
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (text.trim() !== '' && value >= least && value <= most) return value;
  throw new EdgewardError('EW_USAGE', `--${option} ${text}: give a number from ${least} to ${most}.`);
}

export function required(values: CommandValues, option: string): string {
  const text = textOf(values, option);
  if (text) return text;
  throw new EdgewardError('EW_USAGE', `--${option} is missing.`);
}

export function textOf(values: CommandValues, option: string): string | undefined {
  const value = values[option];
  return typeof value === 'string' ? value : undefined;
}

export function listOf(values: CommandValues, option: string): readonly string[] {
  const value = values[option];
  if (value === undefined || typeof value === 'boolean') return [];
  return typeof value === 'string' ? [value] : value;
}

/** One of `choices`, the first where none is given. */
export function choiceOf<Choice extends string>(
  values: CommandValues,
  option: string,
  choices: readonly [Choice, ...Choice[]],
): Choice {
  const text = textOf(values, option);
  if (text === undefined) return choices[0];
  const choice = choices.find(known => known === text);
  if (choice !== undefined) return choice;
  throw new EdgewardError('EW_USAGE', `--${option} ${text}: give one of ${choices.join(', ')}.`);
}

export const mapOption: CommandOption = {
  type: 'string',
  multiple: true,
  placeholder: 'COLUMN=FIELD',
  description: 'the field that a column of the CSV holds; may be given several times',
};

/** Of `--map COLUMN=FIELD`, given several times. */
export function renames(pairs: readonly string[]): Map<string, string> {
  return new Map(
    pairs.map(pair => {
      const match = /^([^=]+)=([^=]+)$/.exec(pair);
      if (match) return [match[1]!, checkedName('map', match[2]!)];
      throw new EdgewardError(
        'EW_USAGE',
        `--map ${pair}: write COLUMN=FIELD, for example value=temperature.`,
      );
    }),
  );
}

export function checkedName(option: string, value: string): string {
  if (namePattern.test(value)) return value;
  const detail = `--${option} ${JSON.stringify(value)}: use up to 64 letters, digits, dots, dashes, underscores.`;
  throw new EdgewardError('EW_USAGE', detail);
}
