/** The arm with a language model: asked as the product asks it; then what a person reads is judged, not what it is told. */
import type { Incident } from '@edgeward/collector/alerts/incident';
import type { Cause } from '@edgeward/collector/diagnosis/catalogue';
import { unfounded } from '@edgeward/collector/testing/mail-claims';
import { check } from '@edgeward/collector/wording/checker';
import { type LanguageModel, LlmClient } from '@edgeward/collector/wording/client';
import { type LlmConfig, llmConfig } from '@edgeward/collector/wording/config';
import { LlmFailure } from '@edgeward/collector/wording/failure';
import { plainWords } from '@edgeward/collector/wording/plain-words';
import { questionOf } from '@edgeward/collector/wording/question';
import { systemClock } from '@edgeward/shared/clock';
import { loadConfig } from '@edgeward/shared/config';
import { z } from 'zod';
import { startSmollm } from '../support/services.js';
import type { Verdict } from './judge-case.js';

/** What came of one incident. `unasked`: the cause is unknown, so there is nothing to word. */
export interface Worded {
  readonly outcome: 'worded' | 'unfit' | 'unasked' | LlmFailure['kind'];
  /** With the text, if it held. */
  readonly incident: Incident;
  readonly dropped: number;
  readonly tookMs: number;
  readonly tokens: number;
}

export interface LlmFigures {
  readonly model: string;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly sentencesDropped: number;
  /** Texts that name a cause of the catalogue, and of these the share that names the true one first. */
  readonly namingTexts: number;
  readonly trueFirst: number;
  /** Claims in texts that the evidence does not have, by a parser that shares nothing with the checker. */
  readonly unfoundedClaims: number;
  /** Incidents of which anything but the text is another than by rules alone. */
  readonly changed: number;
  readonly medianS: number;
  readonly tokens: number;
}

/** @param given  `smollm`: the small model of the tests; else a YAML file with `llm:` as the collector's has it */
export async function openArm(given: string): Promise<{ model: LlmClient; end: () => Promise<void> }> {
  if (given !== 'smollm') {
    const { llm } = await loadConfig(given, z.looseObject({ llm: llmConfig }));
    return { model: new LlmClient(llm, systemClock), end: async () => {} };
  }
  const { service, url } = await startSmollm();
  const config: LlmConfig = llmConfig.parse({
    ...{ provider: 'openai', model: 'smollm2-135m', url },
    ...{ temperature: 0, maxTokens: 400, timeoutMs: 60_000 },
  });
  return { model: new LlmClient(config, systemClock), end: () => service[Symbol.asyncDispose]() };
}

export async function wordOne(
  model: LanguageModel,
  incident: Incident,
  catalogue: readonly Cause[],
): Promise<Worded> {
  const nothing = { incident, dropped: 0, tookMs: 0, tokens: 0 };
  const question = questionOf(incident, catalogue);
  if (!question) return { ...nothing, outcome: 'unasked' };
  const begun = performance.now();
  try {
    const { value, tokens = 0 } = await model.ask(question.prompt, new AbortController().signal);
    const asked = { ...nothing, tokens, tookMs: performance.now() - begun };
    const result = check(value, question);
    if ('refused' in result) return { ...asked, outcome: 'unfit' };
    const wording = { text: result.text, model: model.name };
    return {
      ...asked,
      outcome: 'worded',
      dropped: result.dropped.length,
      incident: { ...incident, wording },
    };
  } catch (error) {
    if (!(error instanceof LlmFailure)) throw error;
    return { ...nothing, outcome: error.kind, tookMs: performance.now() - begun };
  }
}

/** @param pairs  each found fault with what became of its incident */
export function llmFigures(
  model: string,
  pairs: readonly (readonly [Verdict, Worded])[],
  catalogue: readonly Cause[],
): LlmFigures {
  const outcomes: Record<string, number> = {};
  for (const [, { outcome }] of pairs) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  const naming = pairs.flatMap(([{ label }, { incident }]) => {
    const first = firstNamed(incident.wording?.text ?? '', catalogue);
    return first === undefined ? [] : [label.truth.causes.includes(first)];
  });
  const took = pairs.flatMap(([, { tookMs }]) => (tookMs > 0 ? [tookMs / 1000] : [])).sort((a, b) => a - b);
  return {
    model,
    outcomes,
    sentencesDropped: pairs.reduce((sum, [, { dropped }]) => sum + dropped, 0),
    namingTexts: naming.length,
    trueFirst: naming.length === 0 ? Number.NaN : naming.filter(Boolean).length / naming.length,
    unfoundedClaims: pairs.reduce((sum, [, { incident }]) => sum + madeUp(incident).length, 0),
    changed: pairs.filter(([before, { incident }]) => !isSameBut(before.incident, incident)).length,
    medianS: took[Math.floor(took.length / 2)] ?? Number.NaN,
    tokens: pairs.reduce((sum, [, { tokens }]) => sum + tokens, 0),
  };
}

/** The cause of the catalogue whose words come first in the text. */
function firstNamed(text: string, catalogue: readonly Cause[]): string | undefined {
  const lower = text.toLowerCase();
  return catalogue
    .map(({ id, cause }) => ({ id, at: lower.indexOf(cause.toLowerCase()) }))
    .filter(({ at }) => at >= 0)
    .sort((a, b) => a.at - b.at)[0]?.id;
}

const words: ReadonlySet<string> = new Set(plainWords);

/** Of the text alone: what neither the evidence nor the plain words have. */
export function madeUp({ wording, diagnosis, device, gateway }: Incident): string[] {
  if (!wording || !diagnosis) return [];
  const figures = diagnosis.evidence.flatMap(({ text }) => text.match(/-?\d+(?:\.\d+)?/g) ?? []);
  const causes = diagnosis.causes.map(({ cause }) => cause.toLowerCase());
  const known = { diagnosis, causes, device, gateway, figures: figures.map(Number) };
  return unfounded(wording.text, known, words);
}

function isSameBut(before: Incident | undefined, { wording: _, ...after }: Incident): boolean {
  return JSON.stringify(before) === JSON.stringify(after);
}
