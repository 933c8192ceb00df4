/** What the API, the page and the commands may see of the sinks, and do to them. */
import type { Journal } from './journal/journal.js';
import type { SinkLetter } from './journal/sink-letters.js';
import type { SinkMember } from './sink-member.js';
import type { SinkSet } from './sink-set.js';
import type {
  ReloadView,
  SinkControls,
  SinkLettersView,
  SinkLetterView,
  SinkPauseView,
  SinkReplayView,
  SinkView,
} from './views.js';

export interface SinkDeskOptions {
  readonly sinks: SinkSet;
  readonly journal: Journal;
  readonly reload: () => Promise<ReloadView>;
}

const maxReasons = 100;

export class SinkDesk implements SinkControls {
  readonly #options: SinkDeskOptions;

  constructor(options: SinkDeskOptions) {
    this.#options = options;
  }

  list(): SinkView[] {
    return this.#options.sinks.all.map(member => this.#view(member));
  }

  /** Those of a sink that was removed are still there. */
  letters(name: string, limit: number): SinkLettersView | undefined {
    const { sinkLetters } = this.#options.journal;
    const count = sinkLetters.counts().get(name);
    if (!count && !this.#options.sinks.get(name)) return undefined;
    return {
      count: count?.letters ?? 0,
      rows: count?.rows ?? 0,
      deletedRows: sinkLetters.gone().get(name)?.rows ?? 0,
      letters: sinkLetters.list(limit, name).map(letterView),
    };
  }

  async replay(name: string, ids?: readonly string[]): Promise<SinkReplayView | undefined> {
    const { sinks, journal } = this.#options;
    // The oldest first, as they came.
    const all = () => journal.sinkLetters.list(Number.POSITIVE_INFINITY, name).map(({ id }) => id);
    const tried = await sinks.get(name)?.replay(ids ?? all().reverse());
    if (!tried) return undefined;
    const refused = tried.filter(({ stored }) => !stored);
    return {
      stored: tried.length - refused.length,
      refused: refused.length,
      reasons: refused.slice(0, maxReasons).map(({ id, reason }) => ({ id, reason: reason ?? '' })),
    };
  }

  async pause(name: string): Promise<SinkPauseView | undefined> {
    const { sinks } = this.#options;
    if (!(await this.#setPaused(name, true))) return undefined;
    const note = sinks.isRequired(name)
      ? 'It is in receiptAfter: gateways get no receipts and keep their data until it is resumed.'
      : "What comes waits in the journal, within the journal's limits.";
    return { name, paused: true, note };
  }

  async resume(name: string): Promise<SinkPauseView | undefined> {
    if (!(await this.#setPaused(name, false))) return undefined;
    return { name, paused: false, note: null };
  }

  reload(): Promise<ReloadView> {
    return this.#options.reload();
  }

  async #setPaused(name: string, paused: boolean): Promise<boolean> {
    const { sinks, journal } = this.#options;
    const member = sinks.get(name);
    if (!member) return false;
    if (member.isPaused === paused) return true;
    await (paused ? member.pause() : member.resume());
    await journal.tell('journal', `Sink ${name} was ${paused ? 'paused' : 'resumed'}.`, { sink: name });
    return true;
  }

  #view(member: SinkMember): SinkView {
    const { sinks, journal } = this.#options;
    const { name, config, isPaused } = member;
    const { state, position, lag, failure, blocksStored, rowsStored, letters } = member.view();
    return {
      name,
      type: config.type,
      state,
      position,
      lag,
      failure,
      stored: { blocks: blocksStored, rows: rowsStored },
      deadLetters: letters,
      lostRows: journal.losses.all().get(name)?.rows ?? 0,
      paused: isPaused,
      inReceiptAfter: sinks.isRequired(name),
      start: journal.sinkBook.get(name)?.start ?? null,
    };
  }
}

function letterView(letter: SinkLetter): SinkLetterView {
  const { id, kind, gateway, reason, atMs } = letter;
  const rows = letter.kind === 'rows' ? letter.rows : 0;
  const devices = letter.kind === 'rows' ? Object.keys(letter.devices) : [];
  return { id, kind, gateway, reason, atMs, rows, devices };
}
