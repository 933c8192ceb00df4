/** One fleet through an arm: how often it is told without a fault, and whether a fault is found, and when. */
import type { Arm } from './arms.js';
import { type Fault, type Kind, minutesADay, simulated, type Values } from './simulated.js';

export interface Fleet {
  readonly kind: Kind;
  readonly devices: number;
  readonly seed: number;
  readonly days: number;
}

/** Episodes closer together than this are one. */
const joinMinutes = 60;

/** @returns episodes of alarm from the day on that judging may begin */
export function falseEpisodes(fleet: Fleet, arm: Arm, fromDay: number): number {
  let episodes = 0;
  const last = new Float64Array(fleet.devices).fill(Number.NEGATIVE_INFINITY);
  run(fleet, arm, (device, minute, isAlarm) => {
    if (!isAlarm || minute < fromDay * minutesADay) return;
    if (minute - last[device]! > joinMinutes) episodes += 1;
    last[device] = minute;
  });
  return episodes;
}

export interface Found {
  /** From its beginning; undefined = not in its time. */
  readonly minutes: number | undefined;
}

/** The fault is in device 0, and lasts for so many minutes. */
export function findFault(fleet: Fleet, arm: Arm, fault: Fault, fromMinute: number, lasts: number): Found {
  let minutes: number | undefined;
  /** What is in alarm when the fault begins has not found it, however long that lasts. */
  let wasBefore = false;
  const change = (device: number, minute: number, values: Values) =>
    device === 0 && minute >= fromMinute ? fault.apply(values, minute - fromMinute) : values;
  run(
    { ...fleet, days: (fromMinute + lasts) / minutesADay },
    arm,
    (device, minute, isAlarm) => {
      if (device !== 0) return;
      wasBefore = isAlarm && (wasBefore || minute < fromMinute + 2);
      if (isAlarm && !wasBefore) minutes ??= minute - fromMinute;
    },
    change,
  );
  return { minutes };
}

function run(
  { kind, devices, seed, days }: Fleet,
  arm: Arm,
  tell: (device: number, minute: number, isAlarm: boolean) => void,
  change: (device: number, minute: number, values: Values) => Values = (_device, _minute, values) => values,
): void {
  const all = Array.from({ length: devices }, (_, i) => simulated(kind, seed * 1000 + i));
  for (let minute = 0; minute < days * minutesADay; minute++)
    for (const [device, next] of all.entries())
      tell(device, minute, arm.minute(device, minute, change(device, minute, next(minute))));
}
