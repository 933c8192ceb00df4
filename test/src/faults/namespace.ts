/** A machine of its own for the agent, as far as the network is concerned: a namespace and a cable to it. */
import { command } from './host.js';

let made = 0;

export class NetworkNamespace implements Disposable {
  /** The kernel takes a cable away some time after its namespace: no name is used twice. */
  readonly #id = `${process.pid % 1e6}-${++made}`;
  readonly name = `edgeward-${this.#id}`;
  /** This side's address on the cable. */
  readonly host = '10.213.77.1';
  readonly #near = `ew${this.#id}a`;
  readonly #far = `ew${this.#id}b`;

  constructor() {
    command('ip', 'netns', 'add', this.name);
    command('ip', 'link', 'add', this.#near, 'type', 'veth', 'peer', 'name', this.#far, 'netns', this.name);
    command('ip', 'addr', 'add', `${this.host}/30`, 'dev', this.#near);
    command('ip', 'link', 'set', this.#near, 'up');
    this.#inside('ip', 'addr', 'add', '10.213.77.2/30', 'dev', this.#far);
    this.#inside('ip', 'link', 'set', this.#far, 'up');
    this.#inside('ip', 'link', 'set', 'lo', 'up');
  }

  /** To be put before a command that is to run in it. */
  get wrap(): readonly string[] {
    return ['ip', 'netns', 'exec', this.name];
  }

  /** Each way, at random; 100 = a partition that nobody is told of. */
  lose(percent: number): void {
    const rule = percent < 100 ? `numgen random mod 100 < ${percent} drop` : 'drop';
    const chain = (hook: string) => `chain ${hook} { type filter hook ${hook} priority 0; ${rule}; };\n`;
    this.#inside('nft', `table inet faults {\n${chain('input')}${chain('output')}}`);
  }

  loseNothing(): void {
    this.#inside('nft', 'delete table inet faults');
  }

  /** What the agent may send. */
  limit(kilobitsPerSecond: number): void {
    const rate = ['rate', `${kilobitsPerSecond}kbit`, 'burst', '4kb', 'latency', '400ms'];
    this.#inside('tc', 'qdisc', 'add', 'dev', this.#far, 'root', 'tbf', ...rate);
  }

  unlimited(): void {
    this.#inside('tc', 'qdisc', 'del', 'dev', this.#far, 'root');
  }

  /** The cable is pulled, or put back. */
  link(state: 'up' | 'down'): void {
    command('ip', 'link', 'set', this.#near, state);
  }

  [Symbol.dispose](): void {
    command('ip', 'link', 'del', this.#near);
    command('ip', 'netns', 'del', this.name);
  }

  #inside(...words: readonly string[]): void {
    command('ip', 'netns', 'exec', this.name, ...words);
  }
}
