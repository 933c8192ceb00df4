import { isatty } from 'node:tty';
import type { HangUpSource } from '../command.js';
import type { SignalSource } from './stop.js';

/**
 * SIGHUP, for a command that reads its configuration again then. Heard to the very end: without a listener it would
 * kill the process, also while that starts or stores what it has left. When the terminal that the process was started
 * in closes, that is no such wish but a stop.
 */
export class HangUps implements HangUpSource {
  readonly #terminals = [0, 1, 2].filter(isatty);
  #listener: (() => void) | undefined;
  #isWaiting = false;

  constructor(signals: SignalSource, onTerminalGone: () => void) {
    signals.on('SIGHUP', () => {
      const isGone = this.#terminals.length > 0 && !this.#terminals.some(isatty);
      if (isGone) onTerminalGone();
      else if (this.#listener) this.#listener();
      else this.#isWaiting = true;
    });
  }

  listen(listener: () => void): void {
    this.#listener = listener;
    if (this.#isWaiting) listener();
    this.#isWaiting = false;
  }
}
