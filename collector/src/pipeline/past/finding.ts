/** A pipeline device that is unlike its own past, as a finding. */
import { type Finding, secondsText } from '../finding.js';
import { sinkDevice } from '../rows.js';
import type { Feature, PipelineType } from './features.js';
import { outAfterMinutes } from './own-past.js';
import type { WatchedDevice } from './watched-device.js';

/** Of what is unlike its own past, and no rule says why. */
export const isUnusual = (kind: string): boolean => kind.endsWith('-unusual');

/** It is a warning once it has lasted. */
const lastsMs = 10 * 60_000;
const mostNamed = 4;
const mebibyte = 1024 * 1024;

export interface Unusual {
  readonly type: PipelineType;
  readonly name: string;
  readonly site: string | null;
  readonly device: WatchedDevice;
  readonly nowMs: number;
  /** A field that is not told. */
  readonly leaveOut: string | undefined;
}

/** Undefined: nothing is left to tell. */
export function findingOf({ type, name, site, device, nowMs, leaveOut }: Unusual): Finding | undefined {
  const { sinceMs, features } = device;
  const out = device.out().filter(f => features[f]!.field !== leaveOut);
  if (sinceMs === undefined || out.length === 0) return undefined;
  const named = type === 'pipeline-sink' ? name.slice(sinkDevice('').length) : name.replace(/^_/, '');
  const first = device.first && device.first.field !== leaveOut ? device.first : features[out[0]!]!;
  const told = out.slice(0, mostNamed);
  return {
    kind: `${type.slice('pipeline-'.length)}-unusual`,
    device: name,
    deviceType: type,
    site,
    severity: nowMs - sinceMs >= lastsMs ? 'warning' : 'info',
    title: `${type === 'pipeline-collector' ? '' : `${type.slice('pipeline-'.length)} `}${named}: ${first.named} ${first.worse === 'high' ? 'higher' : 'lower'} than usual`,
    facts: told.map(f => factOf(features[f]!, device.values(f))),
    sinceMs: sinceMs - outAfterMinutes * 60_000,
    channels: told.map(f => {
      const { field, unit, worse } = features[f]!;
      const { value, limit } = device.values(f);
      return { field, unit, value, limit, direction: worse };
    }),
    causes: [...first.causes, ['pipeline-unusual', 0.2]],
    named,
    affected: [],
  };
}

function factOf({ named, unit, worse }: Feature, { value, usual }: { value: number; usual: number }): string {
  const way = worse === 'high' ? 'Higher' : 'Lower';
  const of = (number: number) => valueText(number, unit);
  return `${way} than usual at this hour: ${named}, of late ${of(value)}; usual is ${of(usual)}.`;
}

function valueText(value: number, unit: string | null): string {
  if (unit === 's') return value < 2 ? `${Math.round(1000 * value)} ms` : secondsText(1000 * value);
  if (unit === 'B') return `${Math.round(value / mebibyte)} MiB`;
  const text = value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(2)));
  return unit === '1/s' ? `${text}/s` : text;
}
