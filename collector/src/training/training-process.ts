/**
 * Trains for the collector, in a process of its own: what it needs of CPU and memory, or what becomes of it, is no
 * trouble of those that deliver. It ends with the collector.
 */
import { writeFile } from 'node:fs/promises';
import { bundleFiles } from '@edgeward/models/bundle';
import { trainTable } from '@edgeward/models/train-table';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import { type Described, parseDescribed } from '@edgeward/shared/wire';
import { History } from './history.js';
import { historyTable } from './history-table.js';
import type { FromTrainer, HistoryRequest, ToTrainer } from './request.js';

/** Of two that share a machine without memory, Linux is to end this one. */
const oomScore = '800';

const schemas = new Map<string, Described>();
let request: HistoryRequest;
let history: History;

if (process.platform === 'linux') void writeFile('/proc/self/oom_score_adj', oomScore).catch(() => undefined);
process.on('disconnect', () => process.exit());
process.on('message', (message: ToTrainer) => {
  if (message.kind === 'end') return answer(outcome());
  if (message.kind === 'begin') {
    request = message.request;
    const { type, sinceMs, limits } = request;
    history = new History({ type, sinceMs, maxRows: limits.maxRows });
    return;
  }
  for (const json of message.schemas) {
    const described = parseDescribed(json);
    if (described) schemas.set(described.id, described);
  }
  for (const block of message.blocks) {
    const described = schemas.get(block.schemaId);
    if (described) history.take(block, described);
  }
});

function outcome(): FromTrainer {
  try {
    const { source, leftOut, ...table } = historyTable(history, request);
    const { method, acceptChange, type } = request;
    const { bundle } = trainTable(table, {
      name: type.replace(/[^A-Za-z0-9_.-]/g, '-').replace(/^[^A-Za-z0-9]/, 'm'),
      source,
      acceptChange,
      ...(method && { method }),
    });
    const { rows } = bundle.card.training;
    return { kind: 'trained', files: bundleFiles(bundle), revision: bundle.card.revision, rows, leftOut };
  } catch (error) {
    if (error instanceof EdgewardError) return { kind: 'refused', code: error.code, message: error.message };
    return { kind: 'refused', code: 'EW_TRAIN_FAILED', message: messageOf(error) };
  }
}

function answer(message: FromTrainer): void {
  process.send!(message, () => process.disconnect());
}
