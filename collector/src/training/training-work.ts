/** What a training process does of what it is told, message by message. */
import { bundleFiles } from '@edgeward/models/bundle';
import { trainTable } from '@edgeward/models/train-table';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import { type Described, parseDescribed } from '@edgeward/shared/wire';
import { History } from './history.js';
import { historyTable } from './history-table.js';
import type { FromTrainer, HistoryRequest, ToTrainer } from './request.js';

export class TrainingWork {
  readonly #schemas = new Map<string, Described>();
  #request!: HistoryRequest;
  #history!: History;

  /** @returns the answer, at the end */
  take(message: ToTrainer): FromTrainer | undefined {
    if (message.kind === 'end') return this.#outcome();
    if (message.kind === 'begin') this.#begin(message.request);
    else this.#add(message);
    return undefined;
  }

  #begin(request: HistoryRequest): void {
    const { type, sinceMs, limits } = request;
    this.#request = request;
    this.#history = new History({ type, sinceMs, maxRows: limits.maxRows });
  }

  #add({ schemas, blocks }: Extract<ToTrainer, { kind: 'blocks' }>): void {
    for (const json of schemas) {
      const described = parseDescribed(json);
      if (described) this.#schemas.set(described.id, described);
    }
    for (const block of blocks) {
      const described = this.#schemas.get(block.schemaId);
      if (described) this.#history.take(block, described);
    }
  }

  #outcome(): FromTrainer {
    try {
      const { source, leftOut, fieldsLeftOut, ...table } = historyTable(this.#history, this.#request);
      const { method, acceptChange, type } = this.#request;
      const { bundle } = trainTable(table, {
        name: type.replace(/[^A-Za-z0-9_.-]/g, '-').replace(/^[^A-Za-z0-9]/, 'm'),
        source,
        acceptChange,
        ...(method && { method }),
      });
      const { revision, training } = bundle.card;
      const { rows } = training;
      return { kind: 'trained', files: bundleFiles(bundle), revision, rows, leftOut, fieldsLeftOut };
    } catch (error) {
      const code = error instanceof EdgewardError ? error.code : 'EW_TRAIN_FAILED';
      return { kind: 'refused', code, message: messageOf(error) };
    }
  }
}
