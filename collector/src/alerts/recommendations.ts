import { adviceFor } from './advice.js';
import type { Incident } from './incident.js';

const mostActions = 4;

/** What to do about the likely causes; by patterns of channels alone where none is known. */
export function recommendationsFor(
  incident: Pick<Incident, 'detector' | 'source' | 'channels' | 'diagnosis'>,
): string[] {
  const { diagnosis } = incident;
  if (!diagnosis || diagnosis.verdict === 'unknown') return adviceFor(incident);
  const [first, ...others] = diagnosis.causes;
  const second = others.filter(({ probability }) => probability >= first!.probability / 2);
  const actions = [...first!.actions, ...second.flatMap(({ actions }) => actions.slice(0, 1))];
  return [...new Set(actions)].slice(0, mostActions);
}
