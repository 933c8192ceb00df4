/** A finding's causes in the words of the catalogue, which users extend and replace. */
import type { Cause } from '../diagnosis/catalogue.js';
import type { Diagnosis, EvidenceItem, LikelyCause } from '../diagnosis/diagnosis.js';
import type { Finding } from './finding.js';
import { groupSubject } from './grouping.js';

const likely = 0.5;

/** Rules know the hop by how they find it: nothing is ranked here. */
export function diagnosisOf(
  finding: Finding,
  catalogue: ReadonlyMap<string, Cause>,
  atMs: number,
): Diagnosis {
  const evidence = finding.facts.map(
    (text, i): EvidenceItem => ({ id: `E${i + 1}`, text, device: finding.device }),
  );
  const ids = evidence.map(({ id }) => id);
  const causes = finding.causes.flatMap(([id, probability]): LikelyCause[] => {
    const cause = catalogue.get(id);
    if (!cause) return [];
    const named = (text: string) => ofGroup(finding, text).replaceAll('{subject}', finding.named);
    const { severity, component, actions } = cause;
    const words = { cause: named(cause.cause), component: named(component), actions: actions.map(named) };
    return [{ id, ...words, severity, probability, evidence: ids, against: [] }];
  });
  const unknown = Math.max(0, 1 - causes.reduce((sum, { probability }) => sum + probability, 0));
  const [first] = causes;
  const verdict = !first ? 'unknown' : first.probability >= likely ? 'likely' : 'possible';
  return { atMs, verdict, agreed: 1, causes, unknown: first ? unknown : 1, evidence };
}

/** A group is named by its site or the collector, and neither is a gateway. */
function ofGroup({ subject }: Finding, text: string): string {
  if (subject !== groupSubject) return text;
  return text
    .replaceAll('Gateway {subject}', 'These gateways')
    .replaceAll('gateway {subject}', 'these gateways');
}
