import type {
  ReloadView,
  SinkControls,
  SinkLettersView,
  SinkPauseView,
  SinkReplayView,
  SinkView,
} from '../views.js';

const refusedLetters = 3;

/** Three sinks: one that stores, one whose server is down, one with dead letters. */
export class FakeSinks implements SinkControls {
  /** What was asked for, in words. */
  readonly asked: string[] = [];
  reloadFails: Error | undefined;
  #sinks: SinkView[];
  #letters: SinkLettersView['letters'];

  constructor(nowMs: number) {
    this.#sinks = sinksAt(nowMs);
    this.#letters = lettersAt(nowMs);
  }

  /** Makes one of them differ from what it was. */
  set(name: string, change: Partial<SinkView>): void {
    this.#sinks = this.#sinks.map(one => (one.name === name ? { ...one, ...change } : one));
  }

  /** As in a collector whose configuration has none. */
  clear(): void {
    this.#sinks = [];
  }

  list(): readonly SinkView[] {
    return this.#sinks;
  }

  letters(name: string, limit: number): SinkLettersView | undefined {
    const sink = this.#sinks.find(one => one.name === name);
    if (!sink) return undefined;
    const letters = sink.deadLetters.letters > 0 ? this.#letters.slice(0, limit) : [];
    return { count: sink.deadLetters.letters, rows: sink.deadLetters.rows, deletedRows: 0, letters };
  }

  async replay(name: string, ids?: readonly string[]): Promise<SinkReplayView | undefined> {
    if (!this.#sinks.some(one => one.name === name)) return undefined;
    this.asked.push(`replay ${name} ${ids?.join(' ') ?? 'all'}`);
    const tried = this.#letters.filter(({ id }) => ids?.includes(id) ?? true);
    // The last one is never taken.
    const refused = tried.filter(({ id }) => id === `letter-${refusedLetters}`);
    this.#letters = this.#letters.filter(one => !tried.includes(one) || refused.includes(one));
    const rows = this.#letters.reduce((sum, one) => sum + one.rows, 0);
    this.set(name, { deadLetters: { letters: this.#letters.length, rows } });
    return {
      stored: tried.length - refused.length,
      refused: refused.length,
      reasons: refused.map(({ id, reason }) => ({ id, reason })),
    };
  }

  pause(name: string): Promise<SinkPauseView | undefined> {
    return this.#setPaused(name, true);
  }

  resume(name: string): Promise<SinkPauseView | undefined> {
    return this.#setPaused(name, false);
  }

  async reload(): Promise<ReloadView> {
    this.asked.push('reload');
    if (this.reloadFails) throw this.reloadFails;
    const none = { removed: [], replaced: [], receiptAfter: false, topology: false, notes: [] };
    return { ...none, added: ['lake'], needsRestart: ['broker.port'] };
  }

  async #setPaused(name: string, paused: boolean): Promise<SinkPauseView | undefined> {
    const sink = this.#sinks.find(one => one.name === name);
    if (!sink) return undefined;
    this.asked.push(`${paused ? 'pause' : 'resume'} ${name}`);
    this.set(name, { paused, state: paused ? 'paused' : 'running' });
    return { name, paused, note: paused && sink.inReceiptAfter ? 'Gateways get no receipts.' : null };
  }
}

function sinksAt(nowMs: number): SinkView[] {
  const quiet = {
    failure: null,
    deadLetters: { letters: 0, rows: 0 },
    lostRows: 0,
    paused: false,
    inReceiptAfter: false,
    start: null,
  };
  return [
    {
      ...quiet,
      name: 'kafka',
      type: 'kafka',
      state: 'running',
      position: 18_220,
      lag: { blocks: 2, rows: 96, seconds: 0.25, notes: 0 },
      stored: { blocks: 18_220, rows: 874_560 },
      inReceiptAfter: true,
    },
    {
      ...quiet,
      name: 'history',
      type: 'influxdb',
      state: 'failing',
      position: 15_012,
      lag: { blocks: 3210, rows: 154_080, seconds: 1605, notes: 12 },
      failure: {
        code: 'EW_SINK_WRITE',
        text: 'A sink cannot store now. connect ECONNREFUSED 127.0.0.1:8086',
        sinceMs: nowMs - 1_605_000,
        nextTryMs: nowMs + 18_000,
      },
      stored: { blocks: 15_012, rows: 720_576 },
      lostRows: 480,
    },
    {
      ...quiet,
      name: 'lake',
      type: 'file',
      state: 'running',
      position: 18_222,
      lag: { blocks: 0, rows: 0, seconds: 0, notes: 0 },
      stored: { blocks: 4100, rows: 196_800 },
      deadLetters: { letters: refusedLetters, rows: 5 },
      start: { position: 14_122, asked: 'now', atMs: nowMs - 7_200_000 },
    },
  ];
}

function lettersAt(nowMs: number): SinkLettersView['letters'] {
  return Array.from({ length: refusedLetters }, (_, i) => ({
    id: `letter-${i + 1}`,
    kind: 'rows' as const,
    gateway: 'gw-north-1',
    reason: ['field type conflict: temperature is float, was integer', 'point beyond the retention policy'][
      i % 2
    ]!,
    atMs: nowMs - 60_000 * (i + 1),
    rows: i === 0 ? 3 : 1,
    devices: [`pump-${(i % 2) + 1}`],
  }));
}
