/** Where models come in from the uplink, and questions for them go out. */
import type { Clock } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import { Gate } from '@edgeward/shared/gate';
import { encodeAsk, type ModelPart, type PartAsk, parsePart } from '@edgeward/shared/models/parts';

/** One link, as long as it lasts. */
export interface ModelLink {
  ask(payload: string): void;
  /** Blocks wait for room on the way: they go first. */
  readonly crowded: boolean;
}

/** An answer that has not come by then is asked for again. */
const answerWithinMs = 15_000;

export class ModelChannel {
  readonly #clock: Clock;
  readonly #changed = new Gate();
  readonly #onAnnounced: (payload: Uint8Array) => void;
  #link: ModelLink | undefined;
  #part: ModelPart | undefined;

  constructor(clock: Clock, onAnnounced: (payload: Uint8Array) => void) {
    this.#clock = clock;
    this.#onAnnounced = onAnnounced;
  }

  get crowded(): boolean {
    return this.#link?.crowded ?? false;
  }

  /** Undefined = there is none any more. */
  linked(link: ModelLink | undefined): void {
    this.#link = link;
    this.#changed.open();
  }

  announced(payload: Uint8Array): void {
    this.#onAnnounced(payload);
  }

  answered(payload: Uint8Array): void {
    this.#part = parsePart(payload);
    this.#changed.open();
  }

  async untilLinked(stop: AbortSignal): Promise<void> {
    while (!this.#link && !stop.aborted) await this.#changed.wait(stop);
  }

  /**
   * One piece; not more than was asked for.
   * @throws EW_MODEL_TRANSFER if it does not come, EW_STOPPED; else what the collector says
   */
  async get(ask: PartAsk, stop: AbortSignal): Promise<Uint8Array> {
    const link = this.#link;
    if (!link) throw new EdgewardError('EW_MODEL_TRANSFER', 'There is no link.');
    this.#part = undefined;
    link.ask(encodeAsk(ask));
    const untilMs = this.#clock.monotonic() + answerWithinMs;
    for (;;) {
      const part = this.#arrived();
      if (part && isAnswer(part, ask)) return part.data;
      const leftMs = untilMs - this.#clock.monotonic();
      if (stop.aborted) throw new EdgewardError('EW_STOPPED');
      if (this.#link !== link) throw new EdgewardError('EW_MODEL_TRANSFER', 'The link broke.');
      if (leftMs <= 0) throw new EdgewardError('EW_MODEL_TRANSFER', 'The collector does not answer.');
      await this.#changed.wait(stop, leftMs);
    }
  }

  #arrived(): ModelPart | undefined {
    return this.#part;
  }
}

/** A late answer to an earlier question is none. @throws what the collector says */
function isAnswer({ bundle, file, offset, data, error }: ModelPart, ask: PartAsk): boolean {
  if (bundle !== ask.bundle || file !== ask.file || offset !== ask.offset) return false;
  if (error) throw new EdgewardError(error.code, error.text);
  return data.length > 0 && data.length <= ask.bytes;
}
