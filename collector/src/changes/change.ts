/** What changed at a gateway, from whichever source it is known. */

export const changeKinds = [
  'configuration',
  'model',
  'agent',
  'restart',
  'schema',
  'maintenance',
  'threshold',
] as const;
export type ChangeKind = (typeof changeKinds)[number];

export interface Change {
  readonly kind: ChangeKind;
  /** By the clock of the gateway, as the times of its rows, ms. */
  readonly atMs: number;
  /** Of a model or schema. */
  readonly deviceType?: string;
  /** Absent: all, or all of the type. */
  readonly devices?: readonly string[];
  /** Sections, revisions, versions, fields: words that configurations and devices chose. */
  readonly what: string;
}

/** Whether it has to do with the device. */
export function concerns(
  { deviceType, devices }: Change,
  on: { readonly device: string; readonly deviceType: string },
): boolean {
  if (deviceType !== undefined && deviceType !== on.deviceType) return false;
  return devices === undefined || devices.includes(on.device);
}
