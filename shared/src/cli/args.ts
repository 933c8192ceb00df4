import { parseArgs } from 'node:util';
import type { Command, CommandOperand, CommandOption, CommandValues } from '../command.js';
import { EdgewardError } from '../errors.js';
import { didYouMean } from '../nearest.js';

type Options = Command['options'];
type Value = string | boolean | string[];

/** True if help is asked for, whatever else stands there. */
export function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  const words = end < 0 ? argv : argv.slice(0, end);
  return words.includes('--help') || words.includes('-h');
}

/**
 * The values of a command's operand and options; of an option given twice the last counts, unless it may be given many
 * times.
 * @throws EW_USAGE
 */
export function parseValues(
  name: string,
  { operand, options }: Pick<Command, 'operand' | 'options'>,
  argv: readonly string[],
): CommandValues {
  // Not strict: Node's messages do not know our words, and name no near option.
  const { tokens } = parseArgs({
    args: [...argv],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(Object.entries(options).map(([long, option]) => [long, nodeOption(option)])),
  });
  const values: Record<string, Value> = {};
  for (const token of tokens) {
    if (token.kind === 'positional') {
      if (!operand || values[operand.name] !== undefined)
        throw usage(name, `"${token.value}" is not expected here.`);
      values[operand.name] = checkedOperand(name, operand, token.value);
    }
    if (token.kind === 'option') add(values, token.name, readOption(name, options, token));
  }
  if (operand && values[operand.name] === undefined)
    throw usage(
      name,
      `${operand.placeholder} is missing, one of: ${Object.keys(operand.choices).join(', ')}.`,
    );
  for (const [long, option] of Object.entries(options)) {
    if (option.required && values[long] === undefined)
      throw usage(name, `${spelled(long, option)} is required.`);
  }
  return Object.fromEntries(
    Object.entries(values).map(([long, value]) => [long, many(options[long], value)]),
  );
}

function checkedOperand(name: string, { placeholder, choices }: CommandOperand, value: string): string {
  if (Object.hasOwn(choices, value)) return value;
  const known = Object.keys(choices);
  throw usage(
    name,
    `There is no ${placeholder} ${value}.${didYouMean(value, known)} Known: ${known.join(', ')}.`,
  );
}

function nodeOption({ type, short }: CommandOption) {
  return { type, multiple: true, ...(short !== undefined && { short }) };
}

interface OptionToken {
  readonly name: string;
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

function readOption(name: string, options: Options, token: OptionToken): string | boolean {
  const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
  const short = token.rawName.startsWith('--') ? undefined : token.rawName;
  if (option === undefined || (short !== undefined && `-${option.short}` !== short)) {
    const near = short === undefined ? didYouMean(token.name, Object.keys(options)) : '';
    throw usage(name, `There is no option ${token.rawName}.${near.replace('"', '"--')}`);
  }
  if (option.type === 'boolean') {
    if (token.value === undefined) return true;
    throw usage(name, `${token.rawName} takes no value.`);
  }
  // A value that looks like an option is one that was forgotten; negative numbers are fine.
  const forgotten = token.inlineValue !== true && /^-\D/.test(token.value ?? '');
  if (token.value === undefined || token.value === '' || forgotten) {
    throw usage(name, `${spelled(token.name, option)} needs a value.`);
  }
  return token.value;
}

function add(values: Record<string, Value>, long: string, value: string | boolean): void {
  const earlier = values[long];
  const list = Array.isArray(earlier) ? earlier : [];
  values[long] = typeof value === 'string' ? [...list, value] : value;
}

function many(option: CommandOption | undefined, value: Value): Value | undefined {
  return Array.isArray(value) && !option?.multiple ? value.at(-1) : value;
}

/** `-c, --config FILE` */
export function spelled(long: string, option: CommandOption): string {
  const short = option.short === undefined ? '' : `-${option.short}, `;
  const value = option.type === 'string' ? ` ${option.placeholder ?? 'TEXT'}` : '';
  return `${short}--${long}${value}`;
}

export function usage(name: string, problem: string): EdgewardError {
  return new EdgewardError('EW_USAGE', `${problem} See: edgeward ${name}${name === '' ? '' : ' '}--help`);
}
