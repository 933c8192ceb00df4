import type { ChannelEvidence } from '@edgeward/shared/contracts';
import { blamedChannels } from './blamed-channels.js';
import type { ChannelModel } from './channel-model.js';
import { ChannelStream, columnCount, Taken } from './channel-stream.js';
import { channelSettings } from './settings.js';
import { View } from './view.js';

/**
 * A row of a device that nothing else is known of, by the view that looks at single rows: counters and channels that
 * wander say nothing then.
 * @param columns  per channel; NaN = no value, which counts as usual
 */
export function judgePlain(
  { plan, views, maxGapMs }: ChannelModel,
  columns: readonly Float64Array[],
  row: number,
): { score: number; channels: ChannelEvidence[] } {
  const stream = new ChannelStream(plan, maxGapMs);
  if (stream.push(columns, row, 0) === Taken.not) return { score: 0, channels: [] };
  const x = new Float64Array(columnCount(plan));
  stream.columns(x, 0);
  const view = new View(views[0]!);
  const ratio = view.distance(x, 0) / views[0]!.level;
  const blame = new Float64Array(plan.length);
  view.blame(x, 0, 1, blame);
  const channels = blamedChannels(
    plan,
    blame,
    columns.map(column => column[row]!),
  );
  return { score: ratio / (ratio + channelSettings.leastRatio), channels };
}
