import type { z } from 'zod';
import { httpMisfits } from './http-config.js';
import type { SourceConfig } from './index.js';
import { type Misfit, misfitsOf } from './simulated-config.js';

type Path = readonly (string | number)[];

/** Across sources: nothing names a device twice, and no fault is meant for a device that cannot have it. */
export function checkDevices(sources: readonly SourceConfig[], context: z.RefinementCtx): void {
  const readBy = new Map<string, number>();
  for (const [i, source] of sources.entries()) {
    const issue = (path: Path, problem: string, remedy: string) =>
      context.addIssue({ code: 'custom', path: [i, ...path], message: `${problem}. Remedy: ${remedy}` });
    for (const { name, path } of devicesOf(source)) {
      const earlier = readBy.get(name) ?? i;
      readBy.set(name, earlier);
      // Twice within one source is that source's own to refuse.
      if (earlier !== i) issue(path, `sources[${earlier}] reads this device already`, 'choose another name');
    }
    for (const { path, problem, remedy } of misfitsIn(source)) issue(path, problem, remedy);
  }
}

function misfitsIn(source: SourceConfig): readonly Misfit[] {
  if (source.type === 'simulated') return misfitsOf(source);
  return source.type === 'http' ? httpMisfits(source) : [];
}

/** Devices that are known before anything is read, and where each is named. */
export function devicesOf(source: SourceConfig): { name: string; path: Path }[] {
  if (source.type === 'simulated' || source.type === 'http')
    return source.devices.map(({ name }, i) => ({ name, path: ['devices', i, 'name'] }));
  if (source.type === 'mqtt')
    // Names with a level of the topic in them are known when its messages come.
    return source.subscriptions.flatMap(({ device }, i) =>
      device.includes('{') ? [] : [{ name: device, path: ['subscriptions', i, 'device'] }],
    );
  return source.deviceColumn === undefined ? [{ name: source.device, path: ['device'] }] : [];
}
