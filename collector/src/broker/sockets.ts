import type { Socket } from 'node:net';
import type { BrokerLimits } from './limits.js';
import type { Refusals } from './refusals.js';

/** All that are connected, whether they have said who they are or not: so many in all, so many from one address. */
export class Sockets {
  readonly #limits: BrokerLimits;
  readonly #refusals: Refusals;
  readonly #sockets = new Set<Socket>();
  readonly #perAddress = new Map<string, number>();

  constructor(limits: BrokerLimits, refusals: Refusals) {
    this.#limits = limits;
    this.#refusals = refusals;
  }

  /** @returns false for one too many, which is closed */
  take(socket: Socket): boolean {
    const address = socket.remoteAddress ?? '';
    const ofAddress = this.#perAddress.get(address) ?? 0;
    const { maxConnections, maxConnectionsPerAddress } = this.#limits;
    const tooMany = this.#sockets.size >= maxConnections;
    if (tooMany || ofAddress >= maxConnectionsPerAddress) {
      const there = tooMany ? `${maxConnections} in all` : `${maxConnectionsPerAddress} from this address`;
      const reason = tooMany ? 'connections' : 'connections-per-address';
      this.#refusals.note(reason, undefined, `${address}: there are ${there} already`);
      socket.on('error', () => undefined);
      socket.destroy();
      return false;
    }
    this.#sockets.add(socket);
    this.#perAddress.set(address, ofAddress + 1);
    socket.once('close', () => this.#forget(socket, address));
    return true;
  }

  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #forget(socket: Socket, address: string): void {
    this.#sockets.delete(socket);
    const left = (this.#perAddress.get(address) ?? 1) - 1;
    if (left > 0) this.#perAddress.set(address, left);
    else this.#perAddress.delete(address);
  }
}
