import type { Incoming } from '@edgeward/collector/journal/journal';
import { TestGateway } from '@edgeward/collector/journal/testing/blocks';

const gateways = 4;
const rowsPerDevice = 20;

/** Blocks of several gateways, each of two devices, the same in every run; a few at a time. */
export function* blocksOf(count: number): Generator<Incoming[]> {
  const senders = Array.from({ length: gateways }, (_, i) => new TestGateway(`gw-${i + 1}`));
  for (let done = 0; done < count; done += gateways)
    yield senders.map(sender => sender.understood(sender.bytes(rowsPerDevice)));
}

/** `gateway/epoch/seq device row` of each row of these, in order. */
export function expectedRows(count: number): string[] {
  return [...blocksOf(count)].flat().flatMap(({ gateway, header: { epoch, seq }, batch }) =>
    Array.from(batch.row, (row, i) => {
      const device = batch.schema.devices[batch.device[i]!]!;
      return rowKey({ gateway, epoch, seq, device, row });
    }),
  );
}

interface RowOf {
  readonly gateway: string;
  readonly epoch: string;
  readonly seq: number;
  readonly device: string;
  readonly row: number;
}

export function rowKey({ gateway, epoch, seq, device, row }: RowOf): string {
  return `${gateway}/${epoch}/${seq} ${device} ${row}`;
}
