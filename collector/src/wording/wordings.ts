/**
 * Has a language model word the diagnoses of incidents: one question at a time, beside everything else. Whatever goes
 * wrong leaves the template, which is complete by itself; mails and incidents wait for nothing here.
 */
import type { Clock } from '@edgeward/shared/contracts';
import { messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import type { IncidentEngine } from '../alerts/engine.js';
import type { Incident } from '../alerts/incident.js';
import { rankOf } from '../alerts/severity.js';
import type { Cause } from '../diagnosis/catalogue.js';
import { Breaker } from './breaker.js';
import type { Budget } from './budget.js';
import { check } from './checker.js';
import type { LanguageModel } from './client.js';
import { type FailureKind, LlmFailure } from './failure.js';
import { type Question, questionOf } from './question.js';

export interface WordingsOptions {
  readonly engine: Pick<IncidentEngine, 'list' | 'get' | 'word' | 'onChange'>;
  readonly model: LanguageModel;
  readonly catalogue: readonly Cause[];
  readonly budget: Budget;
  readonly maxTokens: number;
  readonly log: Logger;
  readonly clock: Clock;
}

/** `worded`: kept; `unfit`: did not hold against the evidence; `late`: the diagnosis had changed by then. */
export type Outcome = 'worded' | 'unfit' | 'late' | FailureKind;

export interface WordingCounts {
  readonly outcomes: Readonly<Partial<Record<Outcome, number>>>;
  /** Sentences left out of texts that were kept. */
  readonly dropped: number;
  readonly waiting: number;
  readonly paused: boolean;
  readonly requestsToday: number;
  readonly tokensToday: number;
}

/** How often the same incident is worded anew as its diagnosis goes on: twice as seldom each time. */
const firstPauseMs = 30_000;
const longestPauseMs = 3_600_000;
/** A question that failed is asked again so often. */
const mostTries = 3;
/** Beyond this, those whose incidents are forgotten are forgotten too. */
const mostAsked = 2000;

interface Asked {
  /** Of the last question. */
  key: string;
  /** Times that this question failed; Infinity = it is answered. */
  tries: number;
  times: number;
  nextMs: number;
}

export class Wordings implements Disposable {
  readonly #options: WordingsOptions;
  readonly #breaker: Breaker;
  readonly #unsubscribe: () => void;
  readonly #asked = new Map<string, Asked>();
  readonly #outcomes: Partial<Record<Outcome, number>> = {};
  #waiting: Set<string> | undefined;
  #dropped = 0;
  #spentDay = '';

  constructor(options: WordingsOptions) {
    this.#options = options;
    this.#breaker = new Breaker(options.clock);
    this.#unsubscribe = options.engine.onChange(incident => this.#heed(incident));
  }

  /** Asks about the incident that needs it most, if one is due. Call again and again, one call at a time. */
  async next(stop: AbortSignal): Promise<void> {
    this.#waiting ??= this.#fromBefore();
    if (this.#breaker.isOpen) return;
    const due = this.#due();
    if (!due) return;
    const { budget, maxTokens, log, clock } = this.#options;
    const taken = maxTokens + tokensOf(due.question);
    if (!(await budget.take(taken))) {
      const { day } = budget.spent();
      if (day !== this.#spentDay) log.warn({ day }, "the language model's budget for today is spent");
      this.#spentDay = day;
      return;
    }
    const startMs = clock.monotonic();
    try {
      const { value, tokens = taken } = await this.#options.model.ask(due.question.prompt, stop);
      this.#breaker.succeeded();
      await budget.settle(taken, tokens);
      await this.#take(due, value, clock.monotonic() - startMs);
    } catch (error) {
      if (!(error instanceof LlmFailure)) throw error;
      if (!stop.aborted) this.#failed(due, error);
    }
  }

  counts(): WordingCounts {
    const { requests, tokens } = this.#options.budget.spent();
    return {
      outcomes: { ...this.#outcomes },
      dropped: this.#dropped,
      waiting: this.#waiting?.size ?? 0,
      paused: this.#breaker.isOpen,
      requestsToday: requests,
      tokensToday: tokens,
    };
  }

  [Symbol.dispose](): void {
    this.#unsubscribe();
  }

  #heed(incident: Incident): void {
    if (!this.#waiting) return;
    if (wants(incident)) this.#waiting.add(incident.id);
    else this.#waiting.delete(incident.id);
  }

  /** Those that were open when we stopped. */
  #fromBefore(): Set<string> {
    const all = this.#options.engine.list(Number.MAX_SAFE_INTEGER);
    return new Set(all.filter(one => one.state === 'open' && wants(one)).map(({ id }) => id));
  }

  #due(): Due | undefined {
    const { engine, clock } = this.#options;
    const known = [...this.#waiting!].flatMap(id => engine.get(id) ?? this.#forget(id));
    known.sort((a, b) => rankOf(b.severity) - rankOf(a.severity) || b.openedMs - a.openedMs);
    for (const incident of known) {
      const asked = this.#asked.get(incident.id);
      // Its last word is not waited for: the closing mail may go out soon.
      if (asked && incident.state === 'open' && clock.monotonic() < asked.nextMs) continue;
      const question = questionOf(incident, this.#options.catalogue);
      if (question && !(asked?.key === question.key && asked.tries >= mostTries))
        return { incident, question };
      this.#waiting!.delete(incident.id);
    }
    return undefined;
  }

  #forget(id: string): [] {
    this.#waiting!.delete(id);
    this.#asked.delete(id);
    return [];
  }

  async #take({ incident, question }: Due, value: unknown, tookMs: number): Promise<void> {
    const { engine, model, log } = this.#options;
    const result = check(value, question);
    this.#note(incident.id, question.key, Number.POSITIVE_INFINITY);
    if ('refused' in result) {
      this.#count('unfit');
      log.info(
        { incident: incident.id, reason: result.refused, tookMs },
        'wording refused; the template stays',
      );
      return;
    }
    const wording = { text: result.text, model: model.name };
    const kept = await engine.word(incident.id, wording, incident.diagnosis!);
    this.#count(kept ? 'worded' : 'late');
    this.#dropped += kept ? result.dropped.length : 0;
    log.info({ incident: incident.id, kept, dropped: result.dropped, tookMs }, 'incident worded');
  }

  #failed({ incident, question }: Due, failure: LlmFailure): void {
    const { log } = this.#options;
    this.#count(failure.kind);
    const before = this.#asked.get(incident.id);
    const tries = before?.key === question.key ? before.tries + 1 : 1;
    this.#note(incident.id, question.key, failure.isAnswer ? Number.POSITIVE_INFINITY : tries);
    if (failure.isAnswer) this.#breaker.succeeded();
    const pauseMs = failure.isAnswer ? 0 : this.#breaker.failed(failure);
    const reason = messageOf(failure);
    log.warn(
      { kind: failure.kind, reason, pauseMs },
      'no wording from the language model; the template stays',
    );
  }

  #note(id: string, key: string, tries: number): void {
    const times = (this.#asked.get(id)?.times ?? 0) + 1;
    const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** (times - 1));
    this.#asked.set(id, { key, tries, times, nextMs: this.#options.clock.monotonic() + pauseMs });
    if (this.#asked.size > mostAsked)
      for (const old of this.#asked.keys()) if (!this.#options.engine.get(old)) this.#asked.delete(old);
  }

  #count(outcome: Outcome): void {
    this.#outcomes[outcome] = (this.#outcomes[outcome] ?? 0) + 1;
  }
}

interface Due {
  readonly incident: Incident;
  readonly question: Question;
}

/** Parts of another incident send no mails: that one speaks for them. */
function wants({ diagnosis, wording, partOf }: Incident): boolean {
  return (
    partOf === undefined &&
    wording === undefined &&
    diagnosis !== undefined &&
    diagnosis.verdict !== 'unknown'
  );
}

/** Rather too many: a token is 3 to 4 characters of English. */
function tokensOf({ prompt: { system, user, schema } }: Question): number {
  return Math.ceil((system.length + user.length + JSON.stringify(schema).length) / 3);
}
