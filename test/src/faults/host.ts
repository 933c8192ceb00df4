/** What this machine lets a test do to it, and how it is told. */
import { execFileSync } from 'node:child_process';

export type Need = 'root' | 'loop' | 'tmpfs' | 'nft' | 'ip' | 'tc' | 'prlimit' | 'strace';

/** Runs a command to its end. @returns its output @throws with what it said on standard error */
export function command(name: string, ...args: readonly string[]): string {
  return execFileSync(name, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** For `test(name, { skip: lacks('root') }, …)`: what is missing, or false. Said aloud, because a skip proves nothing. */
export function lacks(...needs: readonly Need[]): string | false {
  const missing = needs.filter(need => !has[need]());
  if (missing.length === 0) return false;
  const reason = `NOT SHOWN on this machine: needs ${missing.join(', ')}`;
  console.error(reason);
  return reason;
}

const isRoot = () => process.getuid?.() === 0;
const linux = () => process.platform === 'linux';
const installed = (tool: string) => linux() && succeeds('sh', '-c', `command -v ${tool}`);

const has: Readonly<Record<Need, () => boolean>> = {
  root: isRoot,
  loop: () => isRoot() && installed('mkfs.ext4') && succeeds('losetup', '--find'),
  tmpfs: () => isRoot() && succeeds('unshare', '--mount', 'mount', '-t', 'tmpfs', 'none', '/mnt'),
  nft: () => installed('nft'),
  ip: () => isRoot() && installed('ip') && succeeds('unshare', '--net', 'true'),
  tc: () => installed('tc'),
  prlimit: () => installed('prlimit'),
  strace: () => installed('strace'),
};

function succeeds(name: string, ...args: readonly string[]): boolean {
  try {
    command(name, ...args);
    return true;
  } catch {
    return false;
  }
}
