/**
 * npm run evaluate:diagnosis [-- --split development|test] [--seeds N] [--healthy-days N] [--only GROUPS]
 *                            [--changed] [--llm smollm|FILE] [--show] [--mails FOLDER] [--out FILE]
 *
 * Labelled faults of simulated plants through validation, models, incidents and diagnosis; prints how often cause,
 * component and severity are right. What is tuned is tuned on the development split only: other seeds and other machines
 * than those of the test split.
 *
 * --changed has somebody change configuration and model five minutes before each incident, which is none of its causes.
 * --llm also has a language model word every found incident: the small one of the tests, or the one that stands under
 * `llm` of a YAML file. --mails writes the mails to read them.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { loadCatalogue } from '@edgeward/collector/diagnosis/catalogue';
import { deviceTypes } from '@edgeward/simulators/plant';
import { root } from '../support/root.js';
import { doubleCase, faultCase, healthyCase, type LabelledCase, loadCase, splits } from './cases.js';
import { figuresOf, type Outcome, tableOf } from './figures.js';
import { judgeCase } from './judge-case.js';
import { type LlmFigures, llmFigures, madeUp, openArm, type Worded, wordOne } from './llm-arm.js';
import { mailsOf } from './mails-of.js';
import { type LabelledKind, labelledKinds } from './truths.js';

const { values } = parseArgs({
  options: {
    split: { type: 'string', default: 'test' },
    seeds: { type: 'string', default: '8' },
    only: { type: 'string' },
    'healthy-days': { type: 'string', default: '0' },
    llm: { type: 'string' },
    mails: { type: 'string' },
    changed: { type: 'boolean', default: false },
    show: { type: 'boolean', default: false },
    out: { type: 'string' },
  },
});

const split = splits[values.split === 'development' ? 'development' : 'test'];
const seeds = Array.from({ length: Number(values.seeds) }, (_, i) => split.firstSeed + i);
const pairs: readonly (readonly [LabelledKind, LabelledKind])[] = [
  ['blocked-valve', 'capacitor-failed'],
  ['bearing-wear', 'door-open'],
  ['stuck-sensor', 'overload'],
  ['leak', 'fan-failed'],
];
const healthyHours = 12;

function cases(): LabelledCase[] {
  const faults = seeds.flatMap(seed => labelledKinds.map(kind => faultCase(kind, seed, split)));
  const doubles = seeds.map((seed, i) => doubleCase(pairs[i % pairs.length]!, seed, split));
  const loads = seeds.flatMap(seed => deviceTypes.map(type => loadCase(type, seed, split)));
  // Three devices a plant.
  const plants = Math.ceil((Number(values['healthy-days']) * 24) / (3 * healthyHours));
  const healthy = Array.from({ length: plants }, (_, i) =>
    healthyCase(healthyHours, split.firstSeed + 500 + i, split),
  );
  const all = [...faults, ...doubles, ...loads, ...healthy];
  return all.filter(({ group }) => values.only === undefined || values.only.split(',').includes(group));
}

const catalogue = await loadCatalogue();
const outcomes: Outcome[] = [];
for (const one of cases()) {
  const judged = await judgeCase({ ...one, changed: values.changed }, catalogue);
  const outcome = { one, judged };
  outcomes.push(outcome);
  if (values.show) process.stdout.write(describe(outcome));
}
process.stdout.write(tableOf(outcomes));
const figures = { ...figuresOf(outcomes), ...(values.llm && { llm: await withModel(values.llm) }) };
process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`);
if (values.mails) await writeMails(path.resolve(root, values.mails));
if (values.out) {
  const more = values.llm ? ` --llm ${values.llm}` : '';
  const command = `npm run evaluate:diagnosis -- --split ${split.name} --seeds ${values.seeds} --healthy-days ${values['healthy-days']}${more}`;
  const file = path.resolve(root, values.out);
  await writeFile(file, `${JSON.stringify({ command, split, figures }, null, 2)}\n`);
}

/** Rules with a language model: the figures of the rules are those above, unless `changed` says otherwise. */
async function withModel(given: string): Promise<LlmFigures> {
  const { model, end } = await openArm(given);
  try {
    const pairs = [];
    for (const verdict of outcomes.flatMap(({ judged }) => judged.verdicts)) {
      if (!verdict.incident) continue;
      const worded = await wordOne(model, verdict.incident, catalogue);
      pairs.push([verdict, worded] as const);
      if (values.show) process.stdout.write(told(worded));
    }
    return llmFigures(model.name, pairs, catalogue);
  } finally {
    await end();
  }
}

function told({ outcome, incident, dropped }: Worded): string {
  const text = incident.wording ? `: ${incident.wording.text}` : '';
  return `${incident.device} ${outcome}, ${dropped} dropped${text} ${madeUp(incident).join(' | ')}\n`;
}

async function writeMails(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const outcome of outcomes)
    for (const { incident, subject, text, html, unfounded } of mailsOf(outcome)) {
      const name = outcome.one.name.split(':')[0]!.replaceAll(/\W+/g, '-');
      const file = path.join(folder, `${name}-${incident.device}-${incident.id}`);
      const note = unfounded.length > 0 ? `\n\nUnfounded: ${unfounded.join(' | ')}` : '';
      await writeFile(`${file}.txt`, `${outcome.one.name}\n\n${subject}\n\n${text}${note}`);
      await writeFile(`${file}.html`, html);
    }
}

/** Whatever was not right, with the evidence. */
function describe({ one, judged }: Outcome): string {
  let text = '';
  for (const { label, openedS, incident } of judged.verdicts) {
    const { diagnosis, severity } = incident ?? {};
    const causes = diagnosis?.causes ?? [];
    if (causes[0] && label.truth.causes.includes(causes[0].id)) continue;
    text += `\n${one.name}: ${label.device} opened ${openedS ?? 'never'} ${severity ?? ''} ${diagnosis?.verdict ?? ''} unknown ${diagnosis?.unknown}\n`;
    for (const cause of causes)
      text += `   ${cause.id} ${cause.probability} for ${cause.evidence} against ${cause.against}\n`;
    for (const { id, text: words } of diagnosis?.evidence ?? []) text += `      ${id} ${words}\n`;
  }
  for (const { device, severity, title, firstMs, diagnosis } of judged.others) {
    const first = diagnosis?.causes[0];
    text += `${one.name}: also ${device} ${severity} "${title}" +${(firstMs - one.onsetMs) / 1000}: ${diagnosis?.verdict} ${first?.id} ${first?.probability}\n`;
  }
  return text;
}
