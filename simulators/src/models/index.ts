import type { DeviceKind } from '../device.js';
import type { DeviceType } from '../faults.js';
import { coldRoom } from './cold-room.js';
import { powerFeed } from './power-feed.js';
import { pump } from './pump.js';

export const deviceKinds: Readonly<Record<DeviceType, DeviceKind>> = {
  pump,
  'cold-room': coldRoom,
  'power-feed': powerFeed,
};
