/** The figures of detection: how good, beside what was asked for, and what it costs. */
import { namingFigures } from '../detection/quality/contributions.js';
import { channelFigures } from './detection-channels.js';
import { forestFigures } from './detection-forest.js';
import { benchNab, benchPipeline, benchSkab } from './detection-series.js';
import { tabularFigures } from './detection-tabular.js';
import { type Figure, figuresOrFailure, figuresTable, meets, verdictText } from './figures.js';
import { type Machine, machine } from './machine.js';
import { machineText } from './print.js';

/** Each has a file of its own, so that one can be measured again alone. */
export interface DetectionResult {
  readonly benchmark: string;
  /** What made it. */
  readonly command: string;
  readonly machine: Machine;
  readonly loadAfter: number;
  readonly figures: readonly (Figure & { readonly met: boolean | undefined })[];
}

export const detectionSections: Readonly<Record<string, () => Promise<Figure[]>>> = {
  tabular: tabularFigures,
  forest: forestFigures,
  contributions: namingFigures,
  skab: benchSkab,
  nab: benchNab,
  pipeline: benchPipeline,
  channels: channelFigures,
};

/**
 * @param only  names of sections; without them, all
 * @throws TypeError for a section that there is not
 */
export async function benchDetection(
  only: readonly string[] | undefined,
  onProgress: (text: string) => void,
): Promise<DetectionResult[]> {
  const names = only ?? Object.keys(detectionSections);
  const unknown = names.find(name => !detectionSections[name]);
  if (unknown !== undefined)
    throw new TypeError(`no section ${unknown}; there are ${Object.keys(detectionSections).join(', ')}`);
  const results: DetectionResult[] = [];
  for (const name of names) {
    onProgress(name);
    const before = machine();
    const figures = await figuresOrFailure(name, () => detectionSections[name]!());
    results.push({
      benchmark: `detection-${name}`,
      command: `npm run bench -- detection --only ${name}`,
      machine: before,
      loadAfter: machine().load,
      figures: figures.map(one => ({ ...one, met: meets(one) })),
    });
  }
  return results;
}

export function detectionText(results: readonly DetectionResult[]): string {
  return results
    .map(({ machine: on, loadAfter, figures }) =>
      [machineText(on, loadAfter), figuresTable(figures), verdictText(figures)].join('\n\n'),
    )
    .join('\n\n');
}
