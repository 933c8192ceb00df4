/**
 * Lets through only what the question holds. The language is a closed one: aliases and ids that were given, the exact
 * names of the ranked causes, numbers of the evidence with their units, and plain words. What a sentence says of a
 * channel must be what its evidence says; what it says of a cause must be as sure as the diagnosis.
 *
 * An answer of another shape, with a foreign id or character, or with a summary that does not hold, is refused whole.
 * A sentence of the reasoning that does not hold is left out.
 */
import { z } from 'zod';
import { itemManners, sentenceFault } from './claims.js';
import { mostSentence, mostSentences, mostSummary, type Question } from './question.js';

const answerSchema = z.strictObject({
  summary: z.string().min(20).max(mostSummary),
  reasoning: z
    .array(
      z.strictObject({
        text: z.string().min(1).max(mostSentence),
        evidence: z.array(z.string().max(8)).min(1).max(20),
      }),
    )
    .max(mostSentences),
});

export interface Checked {
  /** For people: names in place of aliases. */
  readonly text: string;
  /** Why sentences were left out, one each. */
  readonly dropped: readonly string[];
}

export type CheckResult = Checked | { readonly refused: string };

/** Printable ASCII without what markup, paths and code are made of, and a few signs of units and ranges. */
const printable = /^[ !"%'()+,\-./0-9:;?A-Za-z°³²·–—−’“”µΩ\u00a0\u202f]*$/;

export function check(answer: unknown, question: Question): CheckResult {
  const shaped = answerSchema.safeParse(answer);
  if (!shaped.success) return { refused: shapeFault(shaped.error) };
  const { summary, reasoning } = shaped.data;
  for (const text of [summary, ...reasoning.map(one => one.text)]) {
    if (!printable.test(text)) return { refused: 'a character that has no place in a sentence' };
    if (/\b[a-z]\w*\.[a-z]/i.test(text) || text.includes('//')) return { refused: 'a link' };
  }
  const ids = new Set(question.evidence.map(({ id }) => id));
  if (reasoning.some(({ evidence }) => evidence.some(id => !ids.has(id))))
    return { refused: 'evidence that there is not' };
  const facts = { question, manners: new Map(question.evidence.map(item => [item.id, itemManners(item)])) };
  const sentences = sentencesOf(summary);
  const said = new Set(sentences.map(key));
  const fault = said.size < sentences.length ? 'said twice' : sentencesFault(summary, undefined, facts);
  if (fault !== undefined) return { refused: `summary: ${fault}` };
  if (!namesFirst(summary, question)) return { refused: 'summary: does not name the first cause' };
  const kept: string[] = [];
  const dropped: string[] = [];
  for (const { text, evidence } of reasoning) {
    const found = said.has(key(text)) ? 'said twice' : sentencesFault(text, evidence, facts);
    said.add(key(text));
    if (found === undefined) kept.push(withIds(text, evidence));
    else dropped.push(found);
  }
  return { text: named([plain(summary), kept.join(' ')].filter(Boolean).join('\n\n'), question), dropped };
}

function sentencesFault(
  text: string,
  evidence: readonly string[] | undefined,
  facts: Parameters<typeof sentenceFault>[2],
): string | undefined {
  // Servers cut texts at the longest that the schema allows.
  if (!/[.!?]["”')]*$/.test(plain(text))) return 'not finished';
  for (const sentence of sentencesOf(text)) {
    const fault = sentenceFault(sentence, evidence, facts);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function sentencesOf(text: string): string[] {
  return plain(text)
    .split(/(?<=[.!?;])\s+/)
    .filter(Boolean);
}

function plain(text: string): string {
  return text
    .replaceAll(/[\u00a0\u202f]/g, ' ')
    .replaceAll(/ {2,}/g, ' ')
    .trim();
}

function key(text: string): string {
  return plain(text).toLowerCase().replace(/\.$/, '');
}

function namesFirst(summary: string, { causes }: Question): boolean {
  const { alias, text } = causes[0]!;
  return new RegExp(`\\b${alias}\\b`).test(summary) || summary.toLowerCase().includes(text.toLowerCase());
}

/** `… (E1, E2).` */
function withIds(text: string, ids: readonly string[]): string {
  const missing = [...new Set(ids)].filter(id => !new RegExp(`\\b${id}\\b`).test(text));
  const bare = plain(text).replace(/[.!?;]+$/, '');
  return missing.length === 0 ? `${bare}.` : `${bare} (${missing.join(', ')}).`;
}

/** In one pass, so that nothing within a name can be taken for an alias. */
function named(text: string, { names }: Question): string {
  return text.replaceAll(/\b[CDGKP]\d+\b/g, alias => names.get(alias) ?? alias);
}

function shapeFault(error: z.ZodError): string {
  const [issue] = error.issues;
  const where = issue?.path.filter(part => typeof part === 'string').join('.') || 'answer';
  return `shape: ${where} ${issue?.code}`;
}
