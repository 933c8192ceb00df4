import { EdgewardError } from '../errors.js';

/** `EW_RULE_SYNTAX` or `EW_RULE_FIELD`, with the place in the rule. */
export class RuleError extends EdgewardError {
  /** Without the excerpt. */
  readonly problem: string;
  /** Index into the rule's text, from 0. */
  readonly at: number;

  constructor(code: 'EW_RULE_SYNTAX' | 'EW_RULE_FIELD', problem: string, text: string, at: number) {
    super(code, `${problem} (column ${at + 1})\n${excerpt(text, at)}`);
    this.problem = problem;
    this.at = at;
  }
}

const around = 50;

/** The rule's text near the place, and a caret below it. */
function excerpt(text: string, at: number): string {
  const from = Math.max(0, at - around);
  const before = from > 0 ? '…' : '';
  const shown = text.slice(from, at + around).replace(/[\s\p{Cc}]/gu, ' ');
  return `  ${before}${shown}\n  ${' '.repeat(before.length + at - from)}^`;
}
