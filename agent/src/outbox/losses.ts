import type { Core } from './core.js';

const everyMs = 60_000;
const texts = {
  thinned: (rows: number) =>
    `The outbox is full: ${rows} rows that had never been sent were thinned away since the start.`,
  dropped: (rows: number) =>
    `The outbox is full: the oldest ${rows} rows that had never been sent were dropped since the start.`,
};

type Loss = keyof typeof texts;

/** Tells what had to be given up: at once, then once a minute at most, with the numbers since the start. */
export class Losses {
  readonly #core: Core;
  readonly #rows = { thinned: 0, dropped: 0 };
  readonly #told = { thinned: 0, dropped: 0 };
  readonly #toldMs = { thinned: Number.NEGATIVE_INFINITY, dropped: Number.NEGATIVE_INFINITY };

  constructor(core: Core) {
    this.#core = core;
  }

  add(loss: Loss, rows: number): void {
    if (rows <= 0) return;
    this.#rows[loss] += rows;
    this.tell();
  }

  tell(): void {
    const nowMs = this.#core.options.clock.monotonic();
    for (const loss of ['thinned', 'dropped'] as const) {
      const rows = this.#rows[loss];
      if (rows === this.#told[loss] || nowMs - this.#toldMs[loss] < everyMs) continue;
      this.#told[loss] = rows;
      this.#toldMs[loss] = nowMs;
      this.#core.notice({ kind: loss, text: texts[loss](rows), details: { rows } });
    }
  }
}
