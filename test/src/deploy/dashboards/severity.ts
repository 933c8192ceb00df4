import { override, red, yellow } from './panels.js';

/** Series that are named after a severity have its colour. */
export const severities = Object.entries({ info: 'blue', warning: yellow, critical: red }).map(
  ([name, fixedColor]) => override(name, { color: { mode: 'fixed', fixedColor } }),
);
