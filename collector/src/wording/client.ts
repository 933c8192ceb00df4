import { readSecret } from '@edgeward/shared/config';
import type { Clock } from '@edgeward/shared/contracts';
import { hasCode, messageOf } from '@edgeward/shared/errors';
import type { LlmConfig } from './config.js';
import { LlmFailure } from './failure.js';
import { postJson } from './post-json.js';
import { type Answer, type Prompt, providers } from './providers.js';

/** One question, one answer, within the time that the configuration gives. */
export interface LanguageModel {
  readonly name: string;
  /** @throws LlmFailure */
  ask(prompt: Prompt, stop: AbortSignal): Promise<Answer>;
}

export class LlmClient implements LanguageModel {
  readonly #config: LlmConfig;
  readonly #clock: Pick<Clock, 'now'>;

  constructor(config: LlmConfig, clock: Pick<Clock, 'now'>) {
    this.#config = config;
    this.#clock = clock;
  }

  get name(): string {
    return this.#config.model;
  }

  async ask(prompt: Prompt, stop: AbortSignal): Promise<Answer> {
    const { provider, url, timeoutMs } = this.#config;
    const { path, headers, body, answer } = providers[provider];
    const signal = AbortSignal.any([stop, AbortSignal.timeout(timeoutMs)]);
    const key = await this.#key();
    const json = await postJson(
      url + path(this.#config),
      headers(key),
      body(this.#config, prompt),
      signal,
      this.#clock.now(),
    );
    return answer(json);
  }

  /** Read anew each time, so that it can be changed while we run. */
  async #key(): Promise<string | undefined> {
    const { key } = this.#config;
    try {
      return key && (await readSecret(key));
    } catch (error) {
      if (hasCode(error, 'EW_CONFIG_FILE')) throw new LlmFailure('denied', messageOf(error));
      throw error;
    }
  }
}
