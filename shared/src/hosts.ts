/** Names and addresses that a server listens on, as they stand in configuration, URLs and Host headers. */

/** True for names and addresses that only this machine can reach. */
export function isLoopback(name: string): boolean {
  const host = bare(name);
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** True for "any address of this machine". */
export function isWildcard(name: string): boolean {
  const host = bare(name);
  return host === '0.0.0.0' || host === '::';
}

/** Without the brackets that IPv6 addresses have in URLs. */
export function bare(host: string): string {
  return host.toLowerCase().replace(/^\[|\]$/g, '');
}
