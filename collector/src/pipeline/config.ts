import { z } from 'zod';

const ms = (description: string, usual: number, least = 1000) =>
  z.int().min(least).default(usual).meta({ description, unit: 'ms' });

/** How the pipeline is watched. Times are of the collector's monotonic clock unless said otherwise. */
export const healthConfig = z.strictObject({
  enabled: z.boolean().default(true).meta({ description: 'Whether the pipeline is watched at all' }),
  everyMs: ms('Time between two looks', 5000, 200),
  graceMs: ms(
    'No gateway is called silent this soon after a start, nor after the collector stood still',
    60_000,
    0,
  ),
  silentMs: ms(
    'A gateway that nothing comes from for so long is silent; one that usually speaks less often, after twice its usual gap',
    15_000,
  ),
  closeAfterMs: ms('A trouble is over once it has not been seen for so long', 20_000, 0),
  sinkFailingMs: ms('A sink that fails for so long is told', 10_000, 0),
  lagMs: ms(
    'A sink or a Kafka consumer is too slow once it lags by so much, and the lag grows; half as much if it grows steadily',
    20_000,
  ),
  clockMs: ms("A gateway's clock, or a jump of the collector's own, may be off by so much", 5000, 100),
  delayMs: ms('Rows that are this long on their way, from an agent that is connected, are told', 10_000),
  unusual: z.boolean().default(true).meta({
    description:
      'Whether what no rule says is told, too: gateways, sinks and the collector that are unlike their own past',
  }),
  groupFrom: z.int().min(2).default(5).meta({
    description:
      'So many gateways of a site, or of all, with the same trouble are one incident with the list',
  }),
  minFreeBytes: z
    .int()
    .min(0)
    .default(512 * 1024 * 1024)
    .meta({ description: 'Less free room than this on the disk of dataDir is told', unit: 'bytes' }),
});

export type HealthConfig = z.output<typeof healthConfig>;
