/** Boots whose true time became known, ms to add to their monotonic time. JSON; oldest first. */
export type BootTimes = readonly { readonly boot: string; readonly offsetMs: number }[];

/** Older ones have no blocks left. */
const maxBoots = 16;

/** What is known of earlier boots, and of this one: blocks may be left of a boot that ended before it could correct them. */
export class KnownBoots {
  readonly #offsets: Map<string, number>;

  constructor(state: BootTimes = []) {
    this.#offsets = new Map(state.slice(-maxBoots).map(({ boot, offsetMs }) => [boot, offsetMs]));
  }

  get(boot: string): number | undefined {
    return this.#offsets.get(boot);
  }

  set(boot: string, offsetMs: number): void {
    this.#offsets.delete(boot);
    this.#offsets.set(boot, offsetMs);
    const [oldest] = this.#offsets.keys();
    if (this.#offsets.size > maxBoots && oldest !== undefined) this.#offsets.delete(oldest);
  }

  toJSON(): BootTimes {
    return [...this.#offsets].map(([boot, offsetMs]) => ({ boot, offsetMs }));
  }
}
