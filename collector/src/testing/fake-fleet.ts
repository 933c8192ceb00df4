import { seededRng, subSeed } from '@edgeward/shared/rng';
import type { LedgerTerms, LedgerView } from '../views.js';
import { FakeDevice, kinds } from './fake-plant.js';

export interface FakeGateway {
  readonly id: string;
  readonly devices: readonly FakeDevice[];
  linkCut: boolean;
  kills: number;
  epoch: number;
  /** Rows read while the link was cut. */
  waiting: number;
}

const noCounts: LedgerTerms = {
  read: 0,
  stored: 0,
  inFlight: 0,
  rejected: 0,
  thinned: 0,
  dropped: 0,
  damaged: 0,
  earlier: 0,
  recovered: 0,
};

export function fleet(seed: number): FakeGateway[] {
  const rng = (name: string) => seededRng(subSeed(seed, name));
  const gateway = (id: string, devices: readonly (readonly [string, keyof typeof kinds])[]): FakeGateway => ({
    id,
    devices: devices.map(([device, kind]) => new FakeDevice(id, device, kinds[kind], rng(`${id}/${device}`))),
    linkCut: false,
    kills: 0,
    epoch: 1,
    waiting: 0,
  });
  return [
    gateway('gw-north-1', [
      ['pump-1', 'pump'],
      ['pump-2', 'pump'],
    ]),
    gateway('gw-north-2', [
      ['pump-3', 'pump'],
      ['feed-1', 'powerFeed'],
    ]),
    gateway('gw-cold-1', [
      ['room-1', 'coldRoom'],
      ['room-2', 'coldRoom'],
    ]),
  ];
}

/** The sums as a collector would have them; rows waiting behind a cut link are in flight. */
export function ledgerOf(gateways: readonly FakeGateway[], asOfMs: number): LedgerView {
  const devices = gateways.flatMap(gateway =>
    gateway.devices.map(({ device, read }) => {
      const inFlight = Math.min(read, 2 + Math.ceil(gateway.waiting / gateway.devices.length));
      const rejected = Math.min(read - inFlight, device.endsWith('2') ? 3 : 0);
      const counts = { ...noCounts, read, inFlight, rejected, stored: read - inFlight - rejected };
      const account = { outbox: 'outbox-1', closed: false };
      return { gateway: gateway.id, device, ...account, ...counts, balanced: true, asOfMs: asOfMs };
    }),
  );
  const sums = gateways.map(({ id }) => ({
    id,
    balanced: true,
    ...devices.filter(one => one.gateway === id).reduce(add, noCounts),
  }));
  return { balanced: true, gateways: sums, devices, sinks: [] };
}

function add(sum: LedgerTerms, one: LedgerTerms): LedgerTerms {
  return {
    read: sum.read + one.read,
    stored: sum.stored + one.stored,
    inFlight: sum.inFlight + one.inFlight,
    rejected: sum.rejected + one.rejected,
    thinned: sum.thinned + one.thinned,
    dropped: sum.dropped + one.dropped,
    damaged: sum.damaged + one.damaged,
    earlier: sum.earlier + one.earlier,
    recovered: sum.recovered + one.recovered,
  };
}
