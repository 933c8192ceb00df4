import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository. This file is compiled to test/dist/support. */
export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
export const cli = path.join(root, 'agent', 'bin', 'edgeward.js');
