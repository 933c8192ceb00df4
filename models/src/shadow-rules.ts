/** When a candidate takes over, and when it must give way again. */
import type { ShadowPolicy } from '@edgeward/shared/models/manifest';
import { type AlarmCounts, alarmRate, watchedHours } from './alarm-counter.js';
import type { ShadowCounts } from './shadow.js';

/** So few alarms are never too many: they may be one fault. */
const leastAlarms = 3;
const dayMs = 86_400_000;

export type ShadowVerdict = 'more' | 'promote' | { readonly reason: string };

export function judgeShadow(policy: ShadowPolicy, counts: ShadowCounts): ShadowVerdict {
  const { candidate, active, reproduced } = counts;
  if (candidate.rows < policy.rows || watchedHours(candidate) < policy.hours) return 'more';
  const rate = alarmRate(candidate);
  if (rate > policy.maxAlarmsPerDay)
    return {
      reason: `It raised ${rate.toFixed(2)} alarms a day and device, allowed are ${policy.maxAlarmsPerDay}`,
    };
  const share = active.alarms === 0 ? 1 : reproduced / active.alarms;
  if (share < policy.minReproduced)
    return {
      reason: `Of ${active.alarms} alarms of the active model it raised ${reproduced}, wanted is a part of ${policy.minReproduced}`,
    };
  return 'promote';
}

/** What a model that took over is held to. */
export interface WatchLimits {
  /** From so many alarms on it gives way … */
  readonly alarms: number;
  /** … within so much time of its devices, together. */
  readonly deviceMs: number;
}

/** A shadow run without an alarm says only that there is less than one in its time. */
export function watchLimits(policy: ShadowPolicy, { candidate }: ShadowCounts): WatchLimits {
  const deviceMs = policy.rollbackHours * 3_600_000 * Math.max(1, candidate.devices);
  const rate = Math.max(alarmRate(candidate), dayMs / Math.max(candidate.deviceMs, 1));
  const expected = (rate * deviceMs) / dayMs;
  return { alarms: Math.max(leastAlarms, Math.ceil(policy.rollbackFactor * expected)), deviceMs };
}

export type WatchVerdict = 'more' | 'stays' | { readonly reason: string };

export function judgeWatch(limits: WatchLimits, counts: AlarmCounts): WatchVerdict {
  if (counts.alarms >= limits.alarms) {
    const hours = (watchedHours(counts) || 0).toFixed(1);
    return {
      reason: `It raised ${counts.alarms} alarms in its first ${hours} h, from ${limits.alarms} on it gives way`,
    };
  }
  return counts.deviceMs >= limits.deviceMs ? 'stays' : 'more';
}
