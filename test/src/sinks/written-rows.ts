import type { StoredRow } from '@edgeward/collector/testing/sink-conformance';
import type { Delivery, Sink } from '@edgeward/shared/contracts';
import { type Influx, points } from '../support/influx.js';

/** InfluxDB keeps no row numbers: which row a point is follows from its device and time. */
export class WrittenRows {
  readonly #influx: () => Influx;
  readonly #rows = new Map<string, StoredRow>();

  constructor(influx: () => Influx) {
    this.#influx = influx;
  }

  by(sink: Sink): Sink {
    const write: Sink['write'] = (deliveries, ...rest) => {
      for (const delivery of deliveries) this.#note(delivery);
      return sink.write(deliveries, ...rest);
    };
    const takesNotes = sink.takesNotes ?? false;
    return { write, takesNotes, [Symbol.asyncDispose]: () => sink[Symbol.asyncDispose]() };
  }

  async rowsIn(bucket: string): Promise<StoredRow[]> {
    const found = await points(this.#influx(), bucket, 'r._field == "quality"');
    return found.map(({ gateway, device, _time }) => {
      const row = this.#rows.get(`${gateway}/${device}/${Date.parse(String(_time))}`);
      if (!row) throw new Error(`nobody wrote ${gateway} ${device} ${_time}`);
      return row;
    });
  }

  #note({ gateway, epoch, seq, batch }: Delivery): void {
    for (let i = 0; i < batch.time.length; i++) {
      const device = batch.schema.devices[batch.device[i]!]!;
      this.#rows.set(`${gateway}/${device}/${batch.time[i]}`, {
        gateway,
        epoch,
        seq,
        device,
        row: batch.row[i]!,
      });
    }
  }
}
