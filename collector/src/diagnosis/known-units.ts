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
