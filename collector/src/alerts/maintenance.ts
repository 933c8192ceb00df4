/** Somebody works there: what opens meanwhile is kept and shown, and mailed only if it lasts longer than the work. */
import { z } from 'zod';
import { pipeline } from '../pipeline/rows.js';
import type { Incident } from './incident.js';

const names = () => z.array(z.string().min(1).max(120)).min(1);

export const maintenanceWindow = z
  .strictObject({
    name: z
      .string()
      .min(1)
      .max(120)
      .meta({
        description: 'What is done, for the timeline',
        examples: ['pump overhaul'],
      }),
    from: z.iso.datetime({ offset: true }).meta({ description: 'Begin', examples: ['2026-12-01T06:00:00Z'] }),
    to: z.iso.datetime({ offset: true }).meta({ description: 'End', examples: ['2026-12-01T14:00:00Z'] }),
    sites: names().optional().meta({ description: 'Only these sites' }),
    gateways: names().optional().meta({ description: 'Only these gateways' }),
    devices: names().optional().meta({ description: 'Only these devices' }),
  })
  .refine(({ from, to }) => Date.parse(from) < Date.parse(to), {
    path: ['to'],
    error: 'the window ends before it begins',
  });
export type MaintenanceWindow = z.output<typeof maintenanceWindow>;

type Place = Pick<Incident, 'site' | 'gateway' | 'device'>;

/** Whatever the time. */
export function covers(
  { sites, gateways, devices }: MaintenanceWindow,
  { site, gateway, device }: Place,
): boolean {
  return (
    (sites === undefined || (site !== null && sites.includes(site))) &&
    (gateways === undefined || gateways.includes(gateway === pipeline ? device : gateway)) &&
    (devices === undefined || devices.includes(device))
  );
}

/** The window that it opened in; of several the one that ends last. @param atMs  by the collector's clock */
export function windowFor(
  windows: readonly MaintenanceWindow[],
  place: Place,
  atMs: number,
): MaintenanceWindow | undefined {
  return windows
    .filter(
      window => Date.parse(window.from) <= atMs && atMs < Date.parse(window.to) && covers(window, place),
    )
    .sort((a, b) => Date.parse(b.to) - Date.parse(a.to))[0];
}
