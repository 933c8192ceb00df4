import { type ConfigIssue, pathOption, unplacedIssue } from '@edgeward/shared/config';
import { hasCode, messageOf } from '@edgeward/shared/errors';
import { z } from 'zod';
import { loadCatalogue } from './catalogue.js';

export const diagnosisConfig = z.strictObject({
  catalogues: z
    .array(pathOption('file'))
    .max(50)
    .default([])
    .meta({
      description:
        'YAML files of causes beside the shipped ones (deploy/diagnosis.md); a cause with the id of a shipped one takes its place',
      examples: [['./our-causes.yaml']],
    }),
});

/** What is wrong within the files that are named. One that is not there is told by whoever looks for files. */
export async function checkCatalogues({
  catalogues,
}: z.output<typeof diagnosisConfig>): Promise<ConfigIssue[]> {
  const issues: ConfigIssue[] = [];
  for (const [i, file] of catalogues.entries())
    try {
      await loadCatalogue([file]);
    } catch (error) {
      if (hasCode(error, 'EW_CONFIG_FILE')) continue;
      issues.push(
        unplacedIssue(
          `diagnosis.catalogues[${i}]`,
          messageOf(error),
          'correct the catalogue at that line',
          file,
        ),
      );
    }
  return issues;
}
