import { exp } from '../maths.js';

const pressureHPa = 1013;

/** Water in saturated air, kg a kg of dry air; vapour pressure over water by Magnus (WMO-No. 8, annex 4.B). */
export function saturated(cel: number): number {
  const vapourHPa = 6.112 * exp((17.62 * cel) / (243.12 + cel));
  return (0.622 * vapourHPa) / (pressureHPa - vapourHPa);
}

/** Relative humidity in %, 0 to 100. */
export function relativeHumidity(water: number, cel: number): number {
  return Math.min(100, (100 * water) / saturated(cel));
}
