import type { Metrics } from '@edgeward/shared/metrics/metrics';
import type { MetricSources } from '../metrics.js';

/** The language model that words incidents; nothing where none is configured. */
export function addWordingMetrics(metrics: Metrics, sources: () => Pick<MetricSources, 'wordings'>): void {
  const of = <T>(value: (counts: NonNullable<ReturnType<MetricSources['wordings']>>) => T) => {
    const counts = sources().wordings();
    return counts && value(counts);
  };
  metrics.counters(
    'collector_llm_questions_total',
    'Questions to the language model, by what came of them: worded, unfit (did not hold against the evidence), late or a failure',
    ['outcome'],
    () => of(({ outcomes }) => Object.entries(outcomes)) ?? [],
  );
  metrics.counter(
    'collector_llm_dropped_sentences_total',
    'Sentences left out of texts that were kept, since they did not hold against the evidence',
    () => of(({ dropped }) => dropped),
  );
  metrics.gauge('collector_llm_waiting', 'Incidents whose diagnosis waits to be worded', () =>
    of(({ waiting }) => waiting),
  );
  metrics.gauge(
    'collector_llm_paused',
    '1 while the server is left alone after failures or because it asked for it',
    () => of(({ paused }) => (paused ? 1 : 0)),
  );
  metrics.gauge('collector_llm_requests_today', 'Requests of this day (UTC), of llm.dailyRequests', () =>
    of(({ requestsToday }) => requestsToday),
  );
  metrics.gauge('collector_llm_tokens_today', 'Tokens of this day (UTC), of llm.dailyTokens', () =>
    of(({ tokensToday }) => tokensToday),
  );
}
