/** Which start of the machine this is, and how long it has run: what remains true while the wall clock is wrong. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';

export interface Boot {
  /** 32 hex digits; the same for every process of one boot where the system says, else one of this process. */
  readonly id: string;
  /** ms, rises also while the machine sleeps where that can be told; differences hold between all who share the id. */
  monotonic(): number;
  /**
   * The wall clock was found ahead of the monotonic one: either it was set, or the machine slept.
   * @returns what to go on with: a new boot where a sleep cannot be told from a set clock
   */
  afterGap(): Boot;
}

const idFile = '/proc/sys/kernel/random/boot_id';
const idPattern = /^[0-9a-f]{32}$/;

/** Of this machine. */
export function systemBoot(): Boot {
  return linuxBoot() ?? processBoot();
}

/** Undefined where there is no boot id, or the monotonic clock does not count from the boot. */
function linuxBoot(): Boot | undefined {
  let id: string;
  try {
    id = readFileSync(idFile, 'latin1').trim().replaceAll('-', '').toLowerCase();
  } catch {
    return undefined;
  }
  // A clock that is ahead of the time since the boot counts from somewhere else, perhaps from another place in
  // each process.
  if (!idPattern.test(id) || steadyMs() > uptime() * 1000 + 5000) return undefined;
  return new LinuxBoot(id);
}

/** CLOCK_MONOTONIC stands still while the machine sleeps; /proc/uptime counts on. */
class LinuxBoot implements Boot {
  readonly id: string;
  #sleptMs = sleptMs();

  constructor(id: string) {
    this.id = id;
  }

  monotonic(): number {
    return steadyMs() + this.#sleptMs;
  }

  afterGap(): Boot {
    this.#sleptMs = sleptMs();
    return this;
  }
}

/** The time since boot comes in hundredths of a second: what is less than a second is no sleep. */
function sleptMs(): number {
  const ms = uptime() * 1000 - steadyMs();
  return ms >= 1000 ? ms : 0;
}

function steadyMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}

/** For systems that do not say. */
export function processBoot(): Boot {
  return {
    id: randomBytes(16).toString('hex'),
    monotonic: () => performance.now(),
    afterGap: () => processBoot(),
  };
}
