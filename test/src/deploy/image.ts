/**
 * Builds and runs a Dockerfile where there is no Docker: each stage is a folder, RUN and the finished program run in
 * it by chroot, with this machine's /usr in place of the base image. What that leaves out: the base image itself, and
 * all isolation but that of files.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { root } from '../support/root.js';
import { contextFiles, copyFromContext } from './context.js';
import { type DockerStage, type Instruction, pairOf, readDockerfile, wordsOf } from './dockerfile.js';

/** For `test(name, { skip: noChroot() }, …)`; with EDGEWARD_NO_SKIP never. */
export function noChroot(): string | false {
  if (process.env.EDGEWARD_NO_SKIP) return false;
  const { status } = spawnSync('unshare', ['-m', 'chroot', '/', 'true']);
  return status === 0 ? false : 'SKIPPED: Dockerfiles are tried out as root on Linux only';
}

export interface Mount {
  /** A folder or file of this machine. */
  readonly from: string;
  readonly to: string;
}

interface Layer {
  readonly folder: string;
  workdir: string;
  user: string;
  readonly env: Map<string, string>;
  entrypoint: string[];
  command: string[];
  healthcheck: string[];
  volumes: string[];
}

/** Builds; a stage that two files have in common is made once. */
export class Builder implements Disposable {
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'edgeward-images-'));
  readonly #files = contextFiles(root);
  readonly #made = new Map<string, Layer>();

  /** @param file  relative to the repository */
  build(file: string): Image {
    const stages = new Map<string, Layer>();
    let last: Layer | undefined;
    for (const stage of readDockerfile(path.join(root, file))) {
      last = this.#stage(stage, stages);
      if (stage.name !== undefined) stages.set(stage.name, last);
    }
    if (!last) throw new Error(`${file} has no stage`);
    return new Image(last);
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #stage(stage: DockerStage, stages: ReadonlyMap<string, Layer>): Layer {
    const below = stages.get(stage.base);
    const key = JSON.stringify([below?.folder ?? stage.base, stage.instructions]);
    const made = this.#made.get(key);
    if (made) return made;
    const folder = path.join(this.#folder, String(this.#made.size));
    const layer = below ? { ...copyOf(below, folder) } : emptyLayer(folder);
    for (const instruction of stage.instructions) this.#apply(instruction, layer, stages);
    this.#made.set(key, layer);
    return layer;
  }

  #apply(instruction: Instruction, layer: Layer, stages: ReadonlyMap<string, Layer>): void {
    const { name, text } = instruction;
    if (name === 'WORKDIR') {
      layer.workdir = path.posix.resolve(layer.workdir, text);
      mkdirSync(path.join(layer.folder, layer.workdir), { recursive: true });
    } else if (name === 'COPY') this.#copy(instruction, layer, stages);
    else if (name === 'RUN') run(text, layer);
    else if (name === 'ENV') for (const pair of text.split(/\s+/)) layer.env.set(...pairOf(pair));
    else if (name === 'USER') layer.user = text;
    else if (name === 'ENTRYPOINT') layer.entrypoint = wordsOf(text);
    else if (name === 'CMD') layer.command = wordsOf(text);
    else if (name === 'HEALTHCHECK') layer.healthcheck = wordsOf(text);
    else if (name === 'VOLUME') layer.volumes.push(text);
  }

  #copy({ text, options }: Instruction, layer: Layer, stages: ReadonlyMap<string, Layer>): void {
    const words = text.split(/\s+/);
    const target = words.pop()!;
    const into = path.join(layer.folder, path.posix.resolve(layer.workdir, target));
    const from = options.from === undefined ? undefined : stages.get(options.from);
    for (const source of words) {
      const to = target.endsWith('/') ? path.join(into, path.basename(source)) : into;
      if (from) copyFolder(path.join(from.folder, source), to);
      else copyFromContext(root, this.#files, source, to);
    }
  }
}

export class Image {
  readonly #layer: Layer;

  constructor(layer: Layer) {
    this.#layer = layer;
  }

  get user(): string {
    return this.#layer.user;
  }

  /** As `docker run --read-only` does: nothing can be written but mounts. */
  start(mounts: readonly Mount[]): ChildProcess {
    const { entrypoint, command } = this.#layer;
    return this.#spawn([...entrypoint, ...command], mounts);
  }

  /** The HEALTHCHECK. */
  check(mounts: readonly Mount[], env: Readonly<Record<string, string>>): ChildProcess {
    return this.#spawn(this.#layer.healthcheck, mounts, env);
  }

  #spawn(words: readonly string[], mounts: readonly Mount[], env: Readonly<Record<string, string>> = {}) {
    for (const { from, to } of mounts) standIn(path.join(this.#layer.folder, to), existsSync(`${from}/`));
    const variables = { PATH: process.env.PATH ?? '', ...Object.fromEntries(this.#layer.env), ...env };
    const script = `${mountAll(this.#layer.folder, mounts, 'ro')}
      cd / && exec chroot --userspec=${this.#layer.user} "${this.#layer.folder}" /usr/bin/env -C ${this.#layer.workdir} "$@"`;
    return spawn('unshare', ['-m', 'sh', '-ec', script, 'sh', ...words], {
      env: variables,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }
}

function run(text: string, layer: Layer): void {
  const npm = path.join(homedir(), '.npm');
  mkdirSync(npm, { recursive: true });
  const mounts = [{ from: npm, to: '/root/.npm' }];
  standIn(path.join(layer.folder, '/root/.npm'), true);
  const script = `${mountAll(layer.folder, mounts, 'rw')}
    exec chroot "${layer.folder}" /usr/bin/env -C ${layer.workdir} HOME=/root npm_config_prefer_offline=true sh -ec "$1"`;
  const { status, stdout, stderr } = spawnSync('unshare', ['-m', 'sh', '-ec', script, 'sh', text], {
    encoding: 'utf8',
    timeout: 280_000,
  });
  if (status !== 0) throw new Error(`RUN ${text}\nended with ${status}\n${stdout}${stderr}`);
}

/** Where node and npm are found: /usr, or a folder of their own. */
const prefix = path.dirname(path.dirname(process.execPath));

function mountAll(folder: string, mounts: readonly Mount[], rootMode: 'ro' | 'rw'): string {
  const shared = ['/usr', '/etc/ssl', ...(prefix.startsWith('/usr') ? [] : [prefix])];
  const lines = [
    `mount --bind "${folder}" "${folder}"`,
    ...shared.map(
      name => `mount --rbind ${name} "${folder}${name}"; mount -o remount,ro,bind "${folder}${name}"`,
    ),
    `mount --rbind /dev "${folder}/dev"; mount -t proc proc "${folder}/proc"`,
    ...mounts.map(({ from, to }) => `mount --bind "${from}" "${folder}${to}"`),
  ];
  if (rootMode === 'ro') lines.push(`mount -o remount,ro,bind "${folder}"`);
  return lines.join('\n');
}

function emptyLayer(folder: string): Layer {
  for (const name of ['usr', 'etc/ssl', 'dev', 'proc', 'tmp', 'root', 'var/lib', prefix])
    mkdirSync(path.join(folder, name), { recursive: true });
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, path.join(folder, name));
  for (const file of ['/etc/resolv.conf', '/etc/hosts', '/etc/nsswitch.conf', `${homedir()}/.npmrc`])
    if (existsSync(file))
      cpSync(file, path.join(folder, file.replace(homedir(), '/root')), { dereference: true });
  writeFileSync(
    path.join(folder, 'etc/passwd'),
    'root:x:0:0::/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n',
  );
  return {
    folder,
    workdir: '/',
    user: '0:0',
    env: new Map(),
    entrypoint: [],
    command: [],
    healthcheck: [],
    volumes: [],
  };
}

function copyOf(below: Layer, folder: string): Layer {
  copyFolder(below.folder, folder);
  return { ...below, folder, env: new Map(below.env), volumes: [...below.volumes] };
}

/** Hundreds of megabytes: cp is quicker than node. */
function copyFolder(from: string, to: string): void {
  const { status, stderr } = spawnSync('cp', ['-a', from, to], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${from} cannot be copied: ${stderr}`);
}

/** What a mount is put over must be there. */
function standIn(place: string, folder: boolean): void {
  if (existsSync(place)) return;
  mkdirSync(folder ? place : path.dirname(place), { recursive: true });
  if (!folder) writeFileSync(place, '');
}
