import type { CommandOption, CommandValues } from '@edgeward/shared/command';
import { EdgewardError } from '@edgeward/shared/errors';
import { choiceOf, wholeOf } from './command-values.js';

/** Which forest to grow, for commands that do. */
export const forestOptions = {
  forest: {
    type: 'string',
    placeholder: 'KIND',
    description:
      'isolation: a branch looks at one feature; extended: at a weighted sum of some, which finds broken relations between them (default: isolation)',
  },
  'split-features': {
    type: 'string',
    placeholder: 'N',
    description:
      'features in a sum of an extended forest, 2 to 9 (default: 2); more may find more and cost more, from 3 on four times as much in ONNX Runtime',
  },
} as const satisfies Readonly<Record<string, CommandOption>>;

/** As in `ForestOptions`. */
export function featuresASplitOf(values: CommandValues): number {
  if (choiceOf(values, 'forest', ['isolation', 'extended']) === 'extended')
    return wholeOf(values, 'split-features', 2, 2, 9);
  if (values['split-features'] === undefined) return 1;
  throw new EdgewardError(
    'EW_USAGE',
    '--split-features is for an extended forest: add --forest extended, or leave it out.',
  );
}
