import type { Topic } from './store.js';

const frameMs = 250;

/** Collects what changed and draws at most four times a second; a hidden tab draws nothing. */
export class Scheduler {
  #changed = new Set<Topic>();
  #waiting = false;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly draw: (changed: ReadonlySet<Topic>) => void) {}

  mark(topic: Topic): void {
    this.#changed.add(topic);
    if (this.#waiting) return;
    this.#waiting = true;
    const waitMs = Math.max(0, this.#lastMs + frameMs - performance.now());
    // Animation frames stop by themselves while the tab is hidden.
    setTimeout(() => requestAnimationFrame(() => this.#run()), waitMs);
  }

  #run(): void {
    this.#waiting = false;
    this.#lastMs = performance.now();
    const changed = this.#changed;
    this.#changed = new Set();
    this.draw(changed);
  }
}
