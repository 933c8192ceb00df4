import type { ChannelEvidence } from '@edgeward/shared/contracts';
import type { ChannelPlan } from './channel-plan.js';

const mostChannels = 6;
/** Below this a channel's part is not worth a person's attention. */
const leastWeight = 0.02;

/**
 * Blame as evidence, largest part first.
 * @param blame   [channels] from the views; positive = too high
 * @param values  [channels] as read; NaN = none
 */
export function blamedChannels(
  plan: readonly ChannelPlan[],
  blame: Float64Array,
  values: readonly number[],
): ChannelEvidence[] {
  const total = blame.reduce((sum, part) => sum + Math.abs(part), 0) || 1;
  return plan
    .map((channel, c): ChannelEvidence => {
      const value = values[c]!;
      return {
        field: channel.field,
        value: Number.isFinite(value) ? value : null,
        ...(hasRange(channel) && { expected: channel.expected }),
        direction: directionOf(channel, value, blame[c]!),
        weight: Math.abs(blame[c]!) / total,
      };
    })
    .filter(({ weight }) => weight >= leastWeight)
    .sort((a, b) => b.weight - a.weight)
    .slice(0, mostChannels);
}

/** Outside its usual range a value is high or low, whatever the others let expect; within, that decides. */
function directionOf(channel: ChannelPlan, value: number, blame: number): 'high' | 'low' {
  if (hasRange(channel) && value > channel.expected[1]) return 'high';
  if (hasRange(channel) && value < channel.expected[0]) return 'low';
  return blame > 0 ? 'high' : 'low';
}

/** A counter has no usual range, and neither has what wanders. */
function hasRange({ take, role }: ChannelPlan): boolean {
  return take === 'value' && role !== 'wandering';
}
