/** Loaded only where `metrics.port` is given: who does not want metrics pays nothing for them. */
import type { Stage } from '@edgeward/shared/contracts';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import { getOrMake } from '@edgeward/shared/maps';
import { Histogram, shortBounds } from '@edgeward/shared/metrics/histogram';
import { LoopDelay } from '@edgeward/shared/metrics/loop-delay';
import type { AgentConfig } from '../config.js';
import { HttpAccess, readToken } from '../sources/http-access.js';
import { type AgentMetricSources, agentMetrics } from './agent-metrics.js';
import { MetricsListener } from './listener.js';
import { SourceCounts } from './source-counts.js';

export class AgentMetrics implements AsyncDisposable {
  readonly #sources = new Map<string, SourceCounts>();
  readonly #failures = new Map<string, number>([
    ['EW_LINK_LOST', 0],
    ['EW_RECEIPT_LATE', 0],
  ]);
  readonly #scoreSeconds = new Histogram(shortBounds);
  readonly #loop = new LoopDelay();
  readonly #config: AgentConfig;
  #listener: MetricsListener | undefined;

  constructor(config: AgentConfig) {
    this.#config = config;
    for (const { name } of config.sources) this.#sources.set(name, new SourceCounts());
  }

  /** A port that cannot be opened, or a token that is missing, is told and keeps no reading from being delivered. */
  async listen(
    parts: Pick<AgentMetricSources, 'models' | 'outbox' | 'uplink' | 'clock'>,
    log: Logger,
  ): Promise<void> {
    const { gateway, site = '', dataDir, metrics } = this.#config;
    const { host, port = 0, token } = metrics;
    const sources: AgentMetricSources = {
      gateway,
      site,
      dataDir,
      sources: this.#sources,
      scoreSeconds: this.#scoreSeconds,
      linkFailures: this.#failures,
      ...parts,
    };
    const text = agentMetrics(
      () => sources,
      () => this.#loop,
    );
    try {
      const access = new HttpAccess(token && (await readToken(token)));
      this.#listener = await MetricsListener.open({ host, port, access, text: () => text.text() });
      log.info({ host, port: this.#listener.port }, 'metrics');
    } catch (error) {
      if (!(error instanceof EdgewardError)) throw error;
      log.error({ error: messageOf(error) }, 'there are no metrics');
    }
  }

  of(source: string): SourceCounts {
    return getOrMake(this.#sources, source, () => new SourceCounts());
  }

  rejected(source: string, rows: number): void {
    this.of(source).rejected += rows;
  }

  linkFailed(error: unknown): void {
    const code = error instanceof EdgewardError ? error.code : 'other';
    this.#failures.set(code, (this.#failures.get(code) ?? 0) + 1);
  }

  /** The same stage, with a look at the clock before and after. */
  timed(stage: Stage): Stage {
    return {
      process: async batch => {
        const begunMs = performance.now();
        const processed = await stage.process(batch);
        this.#scoreSeconds.observe((performance.now() - begunMs) / 1000);
        return processed;
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#loop[Symbol.dispose]();
    await this.#listener?.[Symbol.asyncDispose]();
  }
}
