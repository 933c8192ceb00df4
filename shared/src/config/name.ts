import { z } from 'zod';
import { namePattern } from '../topics.js';

/** The name of a gateway, device, site or part: safe in topics, file names, URLs and mails. */
export function nameOption() {
  return z
    .string()
    .regex(
      namePattern,
      'not a name. Remedy: use up to 64 letters, digits, dots, dashes and underscores, a letter or digit first',
    );
}
