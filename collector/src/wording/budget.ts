/** What may be asked for within a day, by UTC; a restart does not begin it anew. */
import type { Clock } from '@edgeward/shared/contracts';
import type { AlertStore } from '../alerts/alert-store.js';

const key = 'llm/budget';

interface Spent {
  readonly day: string;
  readonly requests: number;
  readonly tokens: number;
}

export interface BudgetLimits {
  readonly dailyRequests: number;
  readonly dailyTokens: number;
}

export class Budget {
  readonly #store: Pick<AlertStore, 'get' | 'commit'>;
  readonly #limits: BudgetLimits;
  readonly #clock: Pick<Clock, 'now'>;
  #spent: Spent | undefined;

  constructor(store: Pick<AlertStore, 'get' | 'commit'>, limits: BudgetLimits, clock: Pick<Clock, 'now'>) {
    this.#store = store;
    this.#limits = limits;
    this.#clock = clock;
  }

  /**
   * Sets one request with so many tokens aside, on the disk before it is made.
   * @returns false where the day has no room for it
   */
  async take(tokens: number): Promise<boolean> {
    this.#spent ??= (await this.#store.get(key)) as Spent | undefined;
    const { requests, tokens: before } = this.spent();
    if (requests >= this.#limits.dailyRequests || before + tokens > this.#limits.dailyTokens) return false;
    await this.#save({ day: this.#today(), requests: requests + 1, tokens: before + tokens });
    return true;
  }

  /** Corrects what was set aside by what it took. */
  async settle(taken: number, used: number): Promise<void> {
    const { day, requests, tokens } = this.spent();
    await this.#save({ day, requests, tokens: Math.max(0, tokens + used - taken) });
  }

  /** Of today. */
  spent(): Spent {
    const day = this.#today();
    return this.#spent?.day === day ? this.#spent : { day, requests: 0, tokens: 0 };
  }

  async #save(spent: Spent): Promise<void> {
    await this.#store.commit([{ key, value: spent }]);
    this.#spent = spent;
  }

  #today(): string {
    return new Date(this.#clock.now()).toISOString().slice(0, 10);
  }
}
