/** A real mosquitto with deploy/mosquitto.conf, on a free port and with users of the test's own. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { freePort, until } from './processes.js';
import { root } from './root.js';

const places = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto', '/opt/homebrew/sbin/mosquitto'];

export function findMosquitto(): string | undefined {
  return places.find(place => existsSync(place));
}

/** For `test(name, { skip: noMosquitto() }, …)`; with EDGEWARD_NO_SKIP never, so that its absence fails in CI. */
export function noMosquitto(): string | false {
  if (findMosquitto() || process.env.EDGEWARD_NO_SKIP) return false;
  return 'SKIPPED: no mosquitto found; install it to test with an external broker';
}

export class Mosquitto implements AsyncDisposable {
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'edgeward-mosquitto-'));
  readonly port: number;
  #child: ChildProcess | undefined;

  private constructor(port: number) {
    this.port = port;
  }

  /** @param users  name → password, or the text of a password file */
  static async start(users: Readonly<Record<string, string>> | string): Promise<Mosquitto> {
    const broker = new Mosquitto(await freePort());
    broker.#write(users);
    await broker.restart();
    return broker;
  }

  async restart(): Promise<void> {
    const binary = findMosquitto();
    if (!binary) throw new Error('no mosquitto found');
    await this.kill();
    this.#child = spawn(binary, ['-c', this.#file('mosquitto.conf')], { stdio: 'ignore' });
    await until(`mosquitto listens on ${this.port}`, () => listens(this.port));
  }

  /** kill -9. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise(resolve => child.once('close', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  /** Stands still, as on a machine that is suspended; its connections stay. */
  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #file(name: string): string {
    return path.join(this.#folder, name);
  }

  /** As shipped, but for the places of files, the port, and the user that mosquitto becomes when root starts it. */
  #write(users: Readonly<Record<string, string>> | string): void {
    const shipped = readFileSync(path.join(root, 'deploy/mosquitto.conf'), 'utf8');
    const here = shipped
      .replace('listener 1883', `listener ${this.port} 127.0.0.1`)
      .replaceAll('/etc/mosquitto/', `${this.#folder}/`);
    writeFileSync(this.#file('mosquitto.conf'), `${here}\nuser ${userInfo().username}\n`);
    const acl = readFileSync(path.join(root, 'deploy/mosquitto.acl'), 'utf8');
    writeFileSync(this.#file('edgeward.acl'), acl, { mode: 0o600 });
    const passwords = this.#file('edgeward.passwd');
    writeFileSync(passwords, typeof users === 'string' ? users : '', { mode: 0o600 });
    if (typeof users === 'string') return;
    for (const [name, password] of Object.entries(users))
      if (spawnSync('mosquitto_passwd', ['-b', passwords, name, password]).status !== 0)
        throw new Error('mosquitto_passwd failed');
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host: '127.0.0.1', port });
    const answer = (yes: boolean) => {
      socket.destroy();
      resolve(yes);
    };
    socket.once('connect', () => answer(true));
    socket.once('error', () => answer(false));
  });
}
