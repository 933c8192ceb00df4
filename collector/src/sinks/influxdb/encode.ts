/**
 * Columns to line protocol:
 *
 *   <type>,device=…,gateway=…[,site=…] <channel>=…,…,[score=…,]anomaly=t|f,[late=t,]quality=…i <µs>
 *
 * What a row does not have, or InfluxDB has no word for (NaN, infinities), is left out of its line.
 */
import { hasBit } from '@edgeward/shared/batch';
import type { Delivery, RecordBatch } from '@edgeward/shared/contracts';
import { Quality } from '@edgeward/shared/quality';
import type { ByteWriter } from './byte-writer.js';
import { type CellWriter, cellWriter, letterF, letterI, letterT, maxNumberBytes } from './cells.js';
import { HeadCache, type Heads, seriesKey, seriesOf } from './heads.js';
import { type Points, Request } from './points.js';

export interface EncodeOptions {
  /** A request is closed once it has so many bytes. */
  readonly maxBytes: number;
  /** Why rows of this device are not to be written; undefined = they are. Asked once for a device that may be written. */
  readonly refusalOf?: (delivery: Delivery, device: number) => string | undefined;
}

const score = Buffer.from(',score=');
const anomaly = Buffer.from(',anomaly=');
const late = Buffer.from(',late=t');
const quality = Buffer.from(',quality=');
/** Of all that is the same in every line. */
const tailBytes =
  score.length + anomaly.length + late.length + quality.length + 3 * maxNumberBytes + 2 * maxNumberBytes;

export class Encoder {
  readonly #heads = new HeadCache();
  readonly #options: EncodeOptions;

  constructor(options: EncodeOptions) {
    this.#options = options;
  }

  /**
   * Lines in the order of the deliveries, a request at a time.
   * @param refuse  told of each row that is not to be written
   */
  *requests(
    deliveries: readonly Delivery[],
    refuse: (delivery: Delivery, row: number, reason: string) => void,
  ): Generator<Points> {
    const request = new Request(this.#options.maxBytes);
    for (const delivery of deliveries) {
      const line = new LineWriter(delivery, this.#heads.of(delivery), request.out);
      request.begin(delivery);
      for (let row = 0; row < delivery.batch.time.length; row++) {
        const reason = this.#refusal(line.heads, delivery, row);
        if (reason !== undefined) {
          refuse(delivery, row, reason);
          continue;
        }
        line.write(row);
        request.end(row);
        if (request.isFull) {
          yield request.take();
          request.begin(delivery);
        }
      }
    }
    if (request.size > 0) yield request.take();
  }

  #refusal(heads: Heads, delivery: Delivery, row: number): string | undefined {
    const device = delivery.batch.device[row]!;
    if (heads.admitted[device]) return undefined;
    const reason = this.#options.refusalOf?.(delivery, device);
    heads.admitted[device] = reason === undefined;
    return reason;
  }
}

class LineWriter {
  readonly heads: Heads;
  readonly #delivery: Delivery;
  readonly #batch: RecordBatch;
  readonly #out: ByteWriter;
  readonly #cells: readonly CellWriter[];
  readonly #rowBytes: number;

  constructor(delivery: Delivery, heads: Heads, out: ByteWriter) {
    const { batch } = delivery;
    this.heads = heads;
    this.#delivery = delivery;
    this.#batch = batch;
    this.#out = out;
    const rowBytes = heads.keyBytes + batch.values.length * maxNumberBytes + tailBytes;
    this.#rowBytes = rowBytes;
    this.#cells = batch.values.map((column, f) => cellWriter(out, heads.keys[f]!, column, rowBytes));
  }

  write(i: number): void {
    const batch = this.#batch;
    const out = this.#out;
    const head = this.#head(batch.device[i]!);
    out.reserve(head.length + this.#rowBytes);
    out.copy(head);
    const fields = out.length;
    let bits = batch.quality[i]!;
    for (let f = 0; f < this.#cells.length; f++) {
      if (hasBit(batch.missing?.[f], i)) continue;
      if (!this.#cells[f]!(i)) bits |= Quality.invalid;
    }
    this.#judgement(i);
    out.copy(quality);
    out.integer(bits);
    out.byte(letterI);
    // Every field came with a comma in front: the first one's is the blank behind the tags.
    out.bytes[fields] = blank;
    out.byte(blank);
    this.#time(batch.time[i]!);
    out.byte(newline);
  }

  #judgement(i: number): void {
    const out = this.#out;
    const value = this.#batch.score?.[i];
    // A float32 has about 7 digits; what float64 shows beyond them is noise.
    if (value !== undefined && value >= 0 && value < 1e6) {
      out.copy(score);
      out.decimal(Math.round(value * 1e6), 6);
    }
    out.copy(anomaly);
    out.byte(this.#batch.anomaly?.[i] === 1 ? letterT : letterF);
    if (this.#delivery.late) out.copy(late);
  }

  /** µs. What is no time is written as it is: the server says so, and the row becomes a dead letter. */
  #time(ms: number): void {
    const us = Math.round(ms * 1000);
    if (Number.isSafeInteger(us)) this.#out.integer(us);
    else this.#out.ascii(String(us));
  }

  #head(device: number): Uint8Array {
    const known = this.heads.devices[device];
    if (known) return known;
    const head = Buffer.from(seriesKey(seriesOf(this.#delivery, device)));
    this.heads.devices[device] = head;
    return head;
  }
}

const [blank, newline] = [0x20, 0x0a];
