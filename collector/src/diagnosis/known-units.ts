/** Units come from devices as free text; these are the ones that are passed on as such. */
import { unitSign } from '../notifiers/format.js';

const known = new Set(
  (
    '% %/h Cel Cel/s Cel/min Cel/h K degF [degF] deg rad bar mbar kPa Pa MPa hPa psi mm/s mm/s2 m/s m/s2 g mm cm m km ' +
    'um µm l l/s l/min l/h m3 m3/h m3/s m3/min kg t kg/h kg/s N kN Nm N.m V mV kV A mA kA W kW MW kWh Wh MWh VA kVA var ' +
    'kvar Hz kHz MHz rpm 1/min min-1 s ms min h d ppm ppb lx dB dBm Ohm mOhm uS/cm mS/cm mg/l g/m3 pH cosphi ' +
    '°C °F ° m³ m³/h m/s² Ω 1'
  ).split(' '),
);

/** True also for none. */
export function isKnownUnit(unit: string | null): boolean {
  return unit === null || known.has(unit);
}

/** All of them as they stand in texts, the longest first. */
export const unitSigns: readonly string[] = [...new Set([...known].map(unitSign))]
  .filter(sign => sign !== '')
  .sort((a, b) => b.length - a.length);

/**
 * Between units that people mix up, beside powers of ten: h and min or s, m/s and km/h, bar and psi, inch and mm or cm, ft
 * and m, lb and kg, gallon and l, hp and kW, cubic feet and m³, °C and °F steps, counts of 8, 10 and 12 bits.
 */
const factors = [
  60, 3600, 3.6, 14.504, 6.895, 25.4, 2.54, 3.281, 2.205, 3.785, 1.341, 35.31, 1.8, 4, 16, 1024,
];
/** What noise leaves open of a level. */
const slack = 0.04;

/** Whether a scale is one that another unit or a shifted point makes, up or down. */
export function isUnitFactor(scale: number): boolean {
  const up = Math.max(scale, 1 / scale);
  const isNear = (factor: number) => Math.abs(up / factor - 1) <= slack;
  return factors.some(isNear) || isNear(10 ** Math.max(1, Math.round(Math.log10(up))));
}
