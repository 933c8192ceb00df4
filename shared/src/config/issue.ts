import { EdgewardError } from '../errors.js';

/** One thing that is wrong with a configuration file. */
export interface ConfigIssue {
  readonly file: string;
  /** From 1; 0 = unknown. */
  readonly line: number;
  /** From 1, in UTF-16 units; 0 = unknown. */
  readonly column: number;
  /** `sources[0].intervalMs`; empty = the file as a whole. */
  readonly field: string;
  /** As text, shortened and free of secrets; absent where there is none. */
  readonly value?: string;
  readonly problem: string;
  readonly remedy: string;
}

/** `EW_CONFIG_INVALID` with all issues of the file, in file order. */
export class ConfigError extends EdgewardError {
  readonly issues: readonly ConfigIssue[];

  constructor(issues: readonly ConfigIssue[]) {
    super('EW_CONFIG_INVALID', `\n${issues.map(formatIssue).join('\n')}`);
    this.issues = issues;
  }
}

/** `FILE:LINE:COL: field.path: problem (value: …). Remedy: …`, always one line. */
export function formatIssue(issue: ConfigIssue): string {
  const place = issue.line > 0 ? `${issue.file}:${issue.line}:${issue.column}` : issue.file;
  const field = issue.field === '' ? '' : ` ${issue.field}:`;
  const value = issue.value === undefined ? '' : ` (value: ${issue.value})`;
  return oneLine(`${place}:${field} ${issue.problem}${value}. Remedy: ${issue.remedy}`);
}

/** For checks that know the field but not the file; `edgeward check` finds line and column. */
export function unplacedIssue(field: string, problem: string, remedy: string, value?: unknown): ConfigIssue {
  const shown = showValue(value, (parseFieldPath(field) ?? []).some(isSecretName));
  return {
    file: '',
    line: 0,
    column: 0,
    field,
    problem,
    remedy,
    ...(shown !== undefined && { value: shown }),
  };
}

export function inFileOrder(issues: readonly ConfigIssue[]): ConfigIssue[] {
  return [...issues].sort((a, b) => a.line - b.line || a.column - b.column);
}

export type Path = readonly (string | number)[];

const plainKey = /^[A-Za-z_][\w-]*$/;

/** `sources[0].rules["a b"]`; the inverse of `parseFieldPath`. */
export function fieldPath(path: Path): string {
  let text = '';
  for (const key of path) {
    if (typeof key === 'number') text += `[${key}]`;
    else if (!plainKey.test(key)) text += `[${JSON.stringify(maskText(key))}]`;
    else text += text === '' ? key : `.${key}`;
  }
  return text;
}

const pathPart = /\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|\.?([A-Za-z_][\w-]*)/gy;

/** Undefined for text that is no path. */
export function parseFieldPath(text: string): Path | undefined {
  const path: (string | number)[] = [];
  let end = 0;
  for (const match of text.matchAll(pathPart)) {
    if (match[1] !== undefined) path.push(Number(match[1]));
    else if (match[2] !== undefined) path.push(JSON.parse(`"${match[2]}"`) as string);
    else path.push(match[3] ?? '');
    end = match.index + match[0].length;
  }
  return end === text.length ? path : undefined;
}

const secretName = /password|passwd|secret|token|key$|credential/i;
const redacted = '(hidden)';

/** Keys whose values are never shown, whatever the schema says. */
export function isSecretName(key: string | number): boolean {
  return typeof key === 'string' && secretName.test(key);
}

/** A value as an issue may show it: scalars only, shortened, nothing secret. */
export function showValue(value: unknown, secret: boolean): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object') return 'a mapping';
  if (secret) return redacted;
  if (typeof value === 'string') return JSON.stringify(maskText(value));
  return String(value);
}

const maxShown = 60;
const credentials = /(password|passwd|secret|token|key|credential)\S*\s*[:=]/i;

/** Text from a file, for a message: credentials that slipped into the wrong place are masked, length is bounded. */
export function maskText(text: string): string {
  if (credentials.test(text)) return redacted;
  const masked = text.replace(/(\/\/)[^/\s@]+@/g, `$1${redacted}@`);
  return masked.length > maxShown ? `${masked.slice(0, maxShown)}…` : masked;
}

// Control characters would let a file forge lines or colours in a terminal.
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ');
}
