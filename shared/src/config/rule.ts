import { z } from 'zod';
import { type CompiledRule, compileRule, RuleError } from '../rules.js';

/** A rule expression; one that cannot be parsed is an issue at its place in the file. */
export function ruleOption() {
  return z.string().superRefine((text, context) => {
    compiledOr(text, message => context.addIssue({ code: 'custom', message }));
  });
}

/** The same for what judges single rows, of whose past nothing is known. */
export function singleRowRuleOption() {
  return z.string().superRefine((text, context) => {
    const issue = (message: string) => context.addIssue({ code: 'custom', message });
    const rule = compiledOr(text, issue);
    if (!rule || rule.past.length === 0) return;
    const remedy = 'compare values of the row only, or give the rule to the agents, under rules';
    issue(`windows and "for" look at the rows before, and here each row stands alone. Remedy: ${remedy}`);
  });
}

function compiledOr(text: string, issue: (message: string) => void): CompiledRule | undefined {
  try {
    return compileRule(text);
  } catch (error) {
    if (!(error instanceof RuleError)) throw error;
    const remedy =
      'write comparisons of fields and numbers, such as temperature > 40 or pressure > 120; deploy/rules.md has all';
    issue(`at character ${error.at + 1}: ${error.problem.replace(/\.$/, '')}. Remedy: ${remedy}`);
    return undefined;
  }
}
