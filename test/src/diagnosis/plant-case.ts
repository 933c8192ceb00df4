/** One simulated plant through validation, models and incidents, in memory and as fast as it goes. */
import path from 'node:path';
import { Validate } from '@edgeward/agent/stages/validate';
import { Board, Draft } from '@edgeward/collector/alerts/board';
import { type AlertsConfig, alertsConfig } from '@edgeward/collector/alerts/config';
import { Diagnosing } from '@edgeward/collector/alerts/diagnosing';
import type { Incident } from '@edgeward/collector/alerts/incident';
import { observeDelivery } from '@edgeward/collector/alerts/observe';
import type { Change } from '@edgeward/collector/changes/change';
import type { Cause } from '@edgeward/collector/diagnosis/catalogue';
import { diagnose } from '@edgeward/collector/diagnosis/diagnose';
import { Live } from '@edgeward/collector/live';
import { openModel } from '@edgeward/models/engines';
import { Scorer } from '@edgeward/models/scorer';
import { BatchBuilder, RowNumbers } from '@edgeward/shared/batch';
import { systemClock } from '@edgeward/shared/clock';
import type { Delivery, RecordBatch } from '@edgeward/shared/contracts';
import { silentLogger } from '@edgeward/shared/log';
import { Plant, type PlantConfig } from '@edgeward/simulators/plant';
import { root } from '../support/root.js';

export interface PlantCase {
  readonly config: PlantConfig;
  readonly seconds: number;
  /** Somebody changed configuration and model five minutes before each incident, and had nothing to do with it. */
  readonly changed?: boolean;
}

/** An incident, and when it was looked at, in row time. */
export interface Moment {
  readonly incident: Incident;
  readonly atMs: number;
}

export const gateway = 'gateway-1';
/** At 1 Hz an agent sends each row by itself; days without a fault are looked at in fewer steps. */
const [rowsABlock, healthyRowsABlock] = [1, 10];
const models = ['pump', 'cold-room', 'power-feed'];

/** @param look  at each open incident, after every block */
export async function runCase(
  { config, seconds, changed = false }: PlantCase,
  catalogue: readonly Cause[],
  look: (moment: Moment) => void,
): Promise<void> {
  const plant = new Plant(config);
  const blockRows = (config.faults ?? []).length > 0 ? rowsABlock : healthyRowsABlock;
  const bundles = models.map(name => path.join(root, 'models', 'bundles', name));
  const loaded = await Promise.all(
    bundles.map(folder => openModel(folder, { engine: 'typescript', log: silentLogger })),
  );
  await using scorer = new Scorer({ models: loaded, log: silentLogger });
  const validate = new Validate();
  const [board, live] = [new Board(), new Live()];
  const alerts = alertsConfig.parse({});
  const diagnosing = new Diagnosing(
    (incident, all) =>
      diagnose(catalogue, live, incident, all, undefined, changed ? changesBefore(incident) : []),
    silentLogger,
  );
  let position = 0;
  const builders = buildersOf(plant);
  const hand = async (batch: RecordBatch) => {
    const judged = await scorer.process(validate.process(batch));
    position += 1;
    const delivery = deliveryOf(judged, position);
    live.add([delivery], false);
    take(board, delivery, alerts, diagnosing);
  };
  for (let step = 0; step * config.stepMs < seconds * 1000; step++) {
    const { timeMs, rows } = plant.step();
    for (const { schema, device, values } of rows) builders[schema]!.push(device, timeMs, values);
    if (step % blockRows !== blockRows - 1) continue;
    for (const builder of builders) if (builder.size > 0) await hand(builder.take());
    for (const { incident } of board.records.values())
      if (incident.state === 'open') look({ incident, atMs: timeMs });
  }
}

function changesBefore({ firstMs }: Incident): Change[] {
  const atMs = firstMs - 300_000;
  return [
    { kind: 'configuration', atMs, what: 'sources' },
    { kind: 'model', atMs, what: 'a to b' },
  ];
}

function buildersOf(plant: Plant): BatchBuilder[] {
  const rows = new RowNumbers();
  return plant.schemas.map(
    schema => new BatchBuilder(schema, { maxRows: 1e6, maxAgeMs: 1e9 }, { clock: systemClock, rows }),
  );
}

function deliveryOf(batch: RecordBatch, position: number): Delivery {
  return {
    gateway,
    epoch: '000000001-0123456789abcdef',
    seq: position,
    position,
    ingestedMs: batch.time.at(-1)!,
    late: false,
    batch,
  };
}

/** As the engine does it. */
function take(board: Board, delivery: Delivery, config: AlertsConfig, diagnosing: Diagnosing): void {
  const draft = new Draft(board);
  observeDelivery(draft, delivery, null, config);
  diagnosing.look(draft);
  draft.merge(true);
}
