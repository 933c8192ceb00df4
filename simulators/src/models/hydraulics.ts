import { clamp, exp } from '../maths.js';

/** Metres of water per bar, at 20 °C: 1e5 / (998.2 · 9.81). */
export const metresPerBar = 10.21;
const wattsPerHeadFlow = (998.2 * 9.81) / 3600;
/** ln of the valve's range of 30 : 1. */
const lnRange = 3.4011973816621555;

/** The machine and the pipe, for heads in m and flows in m³/h. */
export interface HydraulicParameters {
  /** Head at no flow and rated speed, and how it falls with flow squared. */
  readonly shutOffM: number;
  readonly headSlope: number;
  /** Shaft power at no flow and its rise with flow, W and W per m³/h, at rated speed. */
  readonly idleW: number;
  readonly wattsPerFlow: number;
  readonly bestFlow: number;
  /** Height of the tank's inlet above the pump, m. */
  readonly liftM: number;
  readonly pipeSlope: number;
  /** Flow at 1 bar across the fully open valve, m³/h. */
  readonly valveKvs: number;
}

/**
 * Flow coefficient of an equal-percentage valve (IEC 60534-2-4), with debris as a second orifice in series.
 * @param position  0 to 1
 * @param blocked   0 (clean) to 1
 */
export function valveKv(kvs: number, position: number, blocked: number): number {
  const valve = kvs * exp(lnRange * (position - 1));
  if (blocked <= 0) return valve;
  const debris = 9 / blocked;
  return 1 / Math.sqrt(1 / (valve * valve) + 1 / (debris * debris));
}

/**
 * Where pump curve and system curve meet, m³/h at the pump.
 *   pump:   H = r²·H0 − k·Q²            (affinity laws: head goes with speed squared)
 *   system: H = lift − suction + K·(Q − leak)²,  K of pipe and valve
 * @param speed  fraction r of rated speed
 * @param leak   flow that leaves before the valve, m³/h
 * @param suctionM  gauge head at the suction flange, m
 */
export function dutyPoint(
  p: HydraulicParameters,
  speed: number,
  kv: number,
  leak: number,
  suctionM: number,
): number {
  const resistance = p.pipeSlope + metresPerBar / (kv * kv);
  const a = p.headSlope + resistance;
  const halfB = resistance * leak;
  const c = resistance * leak * leak + p.liftM - suctionM - speed * speed * p.shutOffM;
  const root = halfB * halfB - a * c;
  // A pump too slow for the lift delivers nothing: the check valve holds the column.
  return root <= 0 ? 0 : Math.max(0, (halfB + Math.sqrt(root)) / a);
}

export function pumpHead(p: HydraulicParameters, speed: number, flow: number): number {
  return speed * speed * p.shutOffM - p.headSlope * flow * flow;
}

/** Shaft power by the affinity laws: rises in a straight line with flow, as radial pumps' does, W. */
export function pumpPower(p: HydraulicParameters, speed: number, flow: number): number {
  return speed * speed * (speed * p.idleW + p.wattsPerFlow * flow);
}

/** Air pressure less the vapour pressure of water at 20 °C, m. */
const airM = 10.1;

/**
 * How far the pump cavitates, 0 to 1. What is left above the vapour pressure (NPSH available) against what the impeller
 * needs (NPSH required, rising with flow): at 2.8 times the need the first bubbles shake it, at the need it cavitates fully
 * (Gülich, Centrifugal Pumps, ch. 6).
 * @param suctionM  gauge head at the suction flange, m
 * @param flow      m³/h
 */
export function cavitation(suctionM: number, flow: number): number {
  const needM = 3 + 0.0001 * flow * flow;
  const missing = clamp((2.8 - (airM + suctionM) / needM) / 1.8, 0, 1);
  return missing * missing;
}

/** Water power, W; always less than shaft power. */
export function waterPower(head: number, flow: number): number {
  return wattsPerHeadFlow * head * flow;
}
