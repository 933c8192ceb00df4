/** What goes on around a device, beyond its gateway. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { Delivery, RecordBatch } from '@edgeward/shared/contracts';
import { seededRng } from '@edgeward/shared/rng';
import type { Incident } from '../alerts/incident.js';
import { Live } from '../live.js';
import { anIncident } from '../testing/an-incident.js';
import { topologyConfig } from '../topology/config.js';
import { Topology } from '../topology/topology.js';
import { type Cause, loadCatalogue } from './catalogue.js';
import { diagnose } from './diagnose.js';

let catalogue: readonly Cause[];
before(async () => {
  catalogue = await loadCatalogue();
});

const [startMs, onset, rows] = [Date.UTC(2026, 0, 1), 300, 330];
const onsetMs = startMs + 1000 * onset;

/** Noise around 100 of each field; from the onset on it is times what is said. */
function put(
  live: Live,
  gateway: string,
  device: string,
  type: string,
  fields: Record<string, number>,
): void {
  const rng = seededRng(3);
  const names = Object.keys(fields);
  const batch: RecordBatch = {
    schema: { type, devices: [device], fields: names.map(name => ({ name, kind: 'float' as const })) },
    time: Float64Array.from({ length: rows }, (_, i) => startMs + 1000 * i),
    device: new Uint16Array(rows),
    row: Float64Array.from({ length: rows }, (_, i) => i),
    values: names.map(name =>
      Float64Array.from({ length: rows }, (_, i) => (100 + rng()) * (i < onset ? 1 : fields[name]!)),
    ),
    quality: new Uint16Array(rows),
  };
  live.add([{ gateway, batch } as Delivery], false);
}

/** A pump that slows down with its supply, and feeds of two gateways of which one sags. */
function plant(): Live {
  const live = new Live();
  put(live, 'gw-1', 'pump-1', 'pump', {
    motorCurrent: 0.8,
    motorPower: 0.8,
    flow: 0.8,
    dischargePressure: 0.8,
  });
  put(live, 'gw-2', 'feed-1', 'power-feed', { voltage: 0.8, current: 1 });
  return live;
}

function incidentOf(gateway: string, device: string, changes: Partial<Incident> = {}): Incident {
  const of = { id: `inc-${gateway}-${device}`, gateway, device, channels: [], detectors: [] };
  return anIncident({
    ...of,
    firstMs: onsetMs,
    openedMs: onsetMs + 2000,
    lastMs: onsetMs + 29_000,
    ...changes,
  });
}

function look(topology: Topology, others: readonly Incident[]) {
  const own = incidentOf('gw-1', 'pump-1');
  return diagnose(catalogue, plant(), own, [own, ...others], device =>
    topology.around(device, () => 'north'),
  )!;
}

const linked = () =>
  new Topology(
    topologyConfig.parse({
      assets: [
        { path: 'north/mcc', level: 'machine', devices: [{ device: 'feed-1' }], feeds: ['north/line-2'] },
        { path: 'north/line-2/pump', devices: [{ device: 'pump-1' }] },
      ],
    }),
  );

test('what feeds a device is looked at though it is on another gateway, and named by both', () => {
  const feed = incidentOf('gw-2', 'feed-1', { deviceType: 'power-feed' });
  const { verdict, causes, evidence } = look(linked(), [feed]);
  assert.deepEqual([verdict, causes[0]?.id], ['likely', 'power-sag-felt']);
  const texts = evidence.map(({ text }) => text).join('\n');
  assert.match(texts, /gw-2\/feed-1: voltage is low/);
  assert.match(texts, /1 other device around it began to show trouble within two minutes of it/);
});

test('without a word about the plant, other gateways tell nothing', () => {
  const { causes, evidence } = look(new Topology(), [incidentOf('gw-2', 'feed-1')]);
  assert.doesNotMatch(evidence.map(({ text }) => text).join('\n'), /feed-1|around it/);
  const sag = causes.find(({ id }) => id === 'power-sag-felt');
  assert.ok((sag?.probability ?? 0) < 0.5, `${sag?.probability}`);
});

test('three more of a site that begin then are no chance; two, or those of another site, are', () => {
  const crowd = (n: number, site: string) =>
    Array.from({ length: n }, (_, i) => incidentOf(`gw-${i + 5}`, 'pump-1', { site }));
  const said = (others: readonly Incident[]) =>
    look(new Topology(), others).evidence.some(({ text }) => /other devices around it/.test(text));
  assert.deepEqual(
    [said(crowd(3, 'north')), said(crowd(2, 'north')), said(crowd(9, 'south'))],
    [true, false, false],
  );
});
