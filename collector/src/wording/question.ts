/**
 * What a language model is told of an incident: aliases, numbers, and words of ours and of the catalogue. Nothing that
 * a device, gateway or site chose goes out: names become aliases, unknown units are left out.
 */
import { createHash } from 'node:crypto';
import type { Incident } from '../alerts/incident.js';
import type { Cause } from '../diagnosis/catalogue.js';
import {
  channelMark,
  type Diagnosis,
  type EvidenceItem,
  type LikelyCause,
  otherMark,
} from '../diagnosis/diagnosis.js';
import { clean } from '../notifiers/format.js';
import { plainWords } from './plain-words.js';
import type { JsonSchema, Prompt } from './providers.js';

/** A ranked cause. `K1` is the most probable one, `P1` what has to be looked at there. */
export interface AskedCause {
  readonly alias: string;
  readonly part: string;
  readonly text: string;
  readonly partText: string;
  readonly percent: number;
  readonly evidence: readonly string[];
  readonly against: readonly string[];
}

export interface AskedEvidence {
  readonly id: string;
  readonly device: string;
  /** Absent where it is about the device as a whole. */
  readonly channel?: string;
  readonly text: string;
  /** What stands beside what channels show: said word for word or not at all. */
  readonly kind?: NonNullable<EvidenceItem['kind']>;
}

export interface Question {
  readonly verdict: Diagnosis['verdict'];
  readonly causes: readonly AskedCause[];
  readonly evidence: readonly AskedEvidence[];
  /** What stands for an alias in texts for people. */
  readonly names: ReadonlyMap<string, string>;
  readonly prompt: Prompt;
  /** The same question has the same. */
  readonly key: string;
}

export const mostSummary = 400;
export const mostSentences = 6;
export const mostSentence = 300;

/** @returns undefined where there is nothing to word: no diagnosis, an unknown cause, or one that is not of the catalogue */
export function questionOf(incident: Incident, catalogue: readonly Cause[]): Question | undefined {
  const { diagnosis } = incident;
  if (!diagnosis || diagnosis.verdict === 'unknown' || diagnosis.causes.length === 0) return undefined;
  const aliases = new Aliases(incident);
  const evidence = diagnosis.evidence.flatMap(item => askedEvidence(item, aliases) ?? []);
  const known = new Set(evidence.map(({ id }) => id));
  const causes = diagnosis.causes.map((cause, i) => askedCause(cause, i + 1, catalogue, known, aliases));
  if (evidence.length === 0 || !causes.every(cause => cause !== undefined)) return undefined;
  const prompt = promptOf(diagnosis.verdict, causes, evidence);
  const key = createHash('sha256').update(prompt.user).digest('base64url');
  return { verdict: diagnosis.verdict, causes, evidence, names: aliases.names, prompt, key };
}

class Aliases {
  readonly names = new Map<string, string>();
  readonly #given = new Map<string, string>();

  constructor({ gateway, device }: Incident) {
    this.#alias('G', gateway, clean(gateway));
    this.device(clean(device));
  }

  device(name: string): string {
    return this.#alias('D', name, name);
  }

  channel(device: string, field: string): string {
    return this.#alias('C', JSON.stringify([device, field]), field);
  }

  cause(number: number, text: string, part: string): void {
    this.names.set(`K${number}`, `“${clean(text, 120)}”`).set(`P${number}`, clean(part, 160));
  }

  #alias(kind: string, key: string, name: string): string {
    const known = this.#given.get(kind + key);
    if (known !== undefined) return known;
    const number = [...this.names.keys()].filter(alias => alias.startsWith(kind)).length + 1;
    const alias = `${kind}${number}`;
    this.#given.set(kind + key, alias);
    this.names.set(alias, name);
    return alias;
  }
}

function askedEvidence(item: EvidenceItem, aliases: Aliases): AskedEvidence | undefined {
  const { id, plain, device, field, other, kind } = item;
  if (plain === undefined || !/^E\d{1,3}$/.test(id)) return undefined;
  const owner = aliases.device(device);
  const apart = kind && { kind };
  if (field === undefined) return { id, device: owner, text: plain, ...apart };
  const channel = aliases.channel(device, field);
  const beside = other ? aliases.channel(other.device, other.field) : '';
  const text = plain.replaceAll(channelMark, channel).replaceAll(otherMark, beside);
  return { id, device: owner, channel, text, ...apart };
}

function askedCause(
  { id, component, probability, evidence, against }: LikelyCause,
  number: number,
  catalogue: readonly Cause[],
  known: ReadonlySet<string>,
  aliases: Aliases,
): AskedCause | undefined {
  const listed = catalogue.find(cause => cause.id === id);
  if (!listed) return undefined;
  aliases.cause(number, listed.cause, component);
  return {
    alias: `K${number}`,
    part: `P${number}`,
    text: listed.cause,
    // What the diagnosis put in for the mark is a channel's name.
    partText: listed.component.replaceAll(channelMark, 'one channel'),
    percent: Math.round(100 * probability),
    evidence: evidence.filter(one => known.has(one)),
    against: against.filter(one => known.has(one)),
  };
}

function promptOf(
  verdict: Diagnosis['verdict'],
  causes: readonly AskedCause[],
  evidence: readonly AskedEvidence[],
): Prompt {
  const user = {
    device: 'D1',
    gateway: 'G1',
    verdict: verdict === 'likely' ? 'K1 is likely' : 'K1 is possible, not sure',
    causes: causes.map(({ alias, text, part, partText, percent, evidence: speaks, against }) => ({
      id: alias,
      cause: text,
      part: `${part}: ${partText}`,
      probability: `${percent} %`,
      evidence: speaks,
      against,
    })),
    evidence,
  };
  return {
    system: systemText(verdict),
    user: JSON.stringify(user),
    schema: schemaOf(evidence.map(({ id }) => id)),
  };
}

function systemText(verdict: Diagnosis['verdict']): string {
  const word = verdict === 'likely' ? 'likely' : 'possible';
  return [
    'You word the finished diagnosis of a machine for a maintenance engineer. Everything is decided; add nothing.',
    `Answer with JSON: {"summary": "...", "reasoning": [{"text": "...", "evidence": ["E1"]}]}.`,
    `summary: at most ${mostSummary} characters, one to three plain English sentences: what the ${word} cause is and what shows it.`,
    `reasoning: two to ${mostSentences} sentences of at most ${mostSentence} characters, each with the ids of the evidence that it rests on.`,
    'Write K1, K2 for causes, P1, P2 for their parts, C1, C2 for channels, D1 for the device. Never use other names.',
    `Every sentence that names a cause says how probable it is: "${word}", or its probability in %.`,
    'Use only numbers that stand in the evidence of the channel that you write about, with the same unit.',
    'Evidence with a kind is said word for word, as it stands, or not at all.',
    'Recommend nothing, command nothing, judge no severity. No links, no markup.',
    `Beside these names and numbers use only these words: ${plainWords.join(' ')}.`,
    `Example: {"summary": "K1 at P1 is the ${word} cause. C1 is high and C2 is low.", "reasoning": [{"text": "C1 is high, which fits K1 as a ${word} cause.", "evidence": ["E1"]}]}`,
  ].join('\n');
}

function schemaOf(ids: readonly string[]): JsonSchema {
  const sentence = {
    type: 'object',
    properties: {
      text: { type: 'string' },
      evidence: { type: 'array', items: { type: 'string', enum: ids } },
    },
    required: ['text', 'evidence'],
    additionalProperties: false,
  };
  return {
    type: 'object',
    properties: { summary: { type: 'string' }, reasoning: { type: 'array', items: sentence } },
    required: ['summary', 'reasoning'],
    additionalProperties: false,
  };
}
