import { RuleError } from './rule-error.js';

export interface Token {
  readonly kind: 'number' | 'duration' | 'name' | 'quoted' | 'word' | 'symbol' | 'end';
  /** Words in lower case, quoted names without quotes. */
  readonly text: string;
  readonly at: number;
}

const maxLength = 1000;

const patterns: readonly (readonly [Token['kind'] | 'space', RegExp])[] = [
  ['space', /\s+/y],
  ['duration', /(?:\d+(?:\.\d*)?|\.\d+)(?:ms|s|m|h|d)(?![\w.])/y],
  ['number', /(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?(?![\w.])/iy],
  ['word', /(?:and|or|not)(?![\w.])/iy],
  ['name', /[A-Za-z_][A-Za-z0-9_.]*/y],
  ['quoted', /"[A-Za-z0-9][A-Za-z0-9_.-]*"/y],
  ['symbol', />=|<=|==|!=(?!=)|[-+*/()<>,]/y],
];

const hints: readonly (readonly [RegExp, string])[] = [
  [/&&?/y, 'write "and"'],
  [/\|\|?/y, 'write "or"'],
  [/!(?!=)/y, 'write "not"'],
  [/=/y, 'write "=="'],
  [
    /\d/y,
    'put names that start with a digit in double quotes, and a blank after a number; durations are 500ms, 30s, 10m, 2h or 1d',
  ],
  [/"/y, 'a field name in double quotes has letters, digits, "_", "." and "-"'],
];

/** @throws EW_RULE_SYNTAX */
export function tokenize(text: string): Token[] {
  if (text.length > maxLength) throw syntaxError(`Longer than ${maxLength} characters.`, text, maxLength);
  const tokens: Token[] = [];
  for (let at = 0; at < text.length; ) {
    const [kind, found] = match(text, at);
    if (kind !== 'space') tokens.push({ kind, text: clean(kind, found), at });
    at += found.length;
  }
  tokens.push({ kind: 'end', text: '', at: text.length });
  return tokens;
}

function match(text: string, at: number): readonly [Token['kind'] | 'space', string] {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found) return [kind, found[0]];
  }
  const hint = hints.find(([pattern]) => {
    pattern.lastIndex = at;
    return pattern.test(text);
  });
  throw syntaxError(hint ? `Not understood: ${hint[1]}.` : 'A character that has no meaning here.', text, at);
}

function clean(kind: Token['kind'], found: string): string {
  if (kind === 'quoted') return found.slice(1, -1);
  return kind === 'word' ? found.toLowerCase() : found;
}

export function syntaxError(problem: string, text: string, at: number): RuleError {
  return new RuleError('EW_RULE_SYNTAX', problem, text, at);
}
