import { z } from 'zod';
import { compileRule, RuleError } from '../rules.js';

/** A rule expression; one that cannot be parsed is an issue at its place in the file. */
export function ruleOption() {
  return z.string().superRefine((text, context) => {
    try {
      compileRule(text);
    } catch (error) {
      if (!(error instanceof RuleError)) throw error;
      const remedy = 'write comparisons of fields and numbers, such as temperature > 40 or pressure > 120';
      const problem = `${error.problem.replace(/\.$/, '')} at character ${error.at + 1}`;
      context.addIssue({ code: 'custom', message: `${problem}. Remedy: ${remedy}` });
    }
  });
}
