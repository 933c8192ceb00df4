/** deploy/compose.yaml and what it mounts, as far as can be told without Docker. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import mqtt from 'mqtt';
import { Mosquitto, noMosquitto } from '../support/mosquitto.js';
import { noPrometheus } from '../support/prometheus.js';
import { cli, root } from '../support/root.js';
import { noService } from '../support/services.js';
import { composePath, mountsOf, readCompose, type Service } from './compose-file.js';
import { readDockerfile } from './dockerfile.js';
import { lint, noLint } from './lint.js';

const compose = readCompose();
const services = Object.entries(compose.services);
const deploy = path.join(root, 'deploy');

test('the compose specification allows it', { skip: noLint() }, () => {
  const { status, said } = lint('compose', composePath);
  assert.equal(status, 0, said);
});

test('hadolint finds nothing in the Dockerfiles', { skip: noLint() }, () => {
  const { status, said } = lint('docker', ...dockerfiles());
  assert.equal(status, 0, said);
});

function dockerfiles(): string[] {
  const folder = 'deploy/docker';
  const names = readdirSync(path.join(root, folder)).filter(name => name.endsWith('.Dockerfile'));
  return names.map(name => path.join(folder, name));
}

/** Of its image, where the service does not say it itself. */
function fromDockerfile({ build }: Service, name: string): string | undefined {
  if (!build) return undefined;
  const stages = readDockerfile(path.resolve(deploy, build.context, build.dockerfile));
  return stages.at(-1)?.instructions.find(instruction => instruction.name === name)?.text;
}

for (const [name, service] of services) {
  test(`${name} is pinned, not root, bounded, watched and closed to the network`, () => {
    assert.match(service.image, /:v?\d+\.\d+/, 'image tag');
    assert.doesNotMatch(service.user ?? fromDockerfile(service, 'USER') ?? 'root', /^(root|0)\b/);
    assert.ok(service.cap_drop?.includes('ALL') && service.security_opt?.includes('no-new-privileges:true'));
    assert.ok(service.read_only || name === 'kafka', 'read-only root');
    assert.ok(service.healthcheck?.test ?? fromDockerfile(service, 'HEALTHCHECK'), 'health check');
    for (const limit of ['memory', 'cpus', 'pids'])
      assert.ok(service.deploy?.resources.limits[limit], `no limit of ${limit}`);
    for (const port of service.ports ?? [])
      assert.match(port, name === 'mosquitto' ? /^\$\{EDGEWARD_BIND:-127\.0\.0\.1\}:/ : /^127\.0\.0\.1:/);
    if (service.build) assert.ok(service.init, 'nobody would reap what its process 1 leaves');
  });

  test(`what ${name} mounts, needs and waits for is there`, () => {
    for (const { source, mode } of mountsOf(service)) {
      if (!source.includes('/')) assert.ok(source in compose.volumes, `volume ${source}`);
      else {
        assert.ok(existsSync(path.join(deploy, source)), source);
        assert.equal(mode, 'ro', source);
      }
    }
    for (const secret of service.secrets ?? [])
      assert.ok((typeof secret === 'string' ? secret : secret.source) in compose.secrets);
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      assert.equal(condition, 'service_healthy');
      assert.ok(other in compose.services, other);
    }
  });

  test(`no password of ${name} is in the file`, () => {
    for (const [key, value] of Object.entries(service.environment ?? {}))
      if (/PASSWORD|TOKEN|SECRET/.test(key))
        assert.match(value, /^(\$\$__file\{)?\/run\/secrets\/\w+\}?$/, key);
  });
}

test('the configurations of agent and collector pass edgeward check and name secrets that they get', () => {
  for (const [name, service] of services) {
    const config = mountsOf(service).find(({ target }) => target.startsWith('/etc/edgeward/'));
    if (!config) continue;
    const file = path.join(deploy, config.source);
    const check = spawnSync(process.execPath, [cli, 'check', '-c', file, '--elsewhere'], {
      encoding: 'utf8',
    });
    assert.equal(check.status, 0, check.stdout + check.stderr);
    const named = [...readFileSync(file, 'utf8').matchAll(/\/run\/secrets\/([\w-]+)/g)].map(([, it]) => it);
    assert.deepEqual(new Set(named), new Set(service.secrets), name);
  }
});

test('Prometheus takes its configuration', { skip: noPrometheus('promtool') }, () => {
  const file = path.join(deploy, 'compose/prometheus.yml');
  const check = spawnSync('promtool', ['check', 'config', '--syntax-only', file], { encoding: 'utf8' });
  assert.equal(check.status, 0, check.stdout + check.stderr);
});

test('Jaeger takes its configuration', { skip: noService('jaeger') }, () => {
  const cache = process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache');
  const binary = path.join(cache, 'jaeger-1.76.0/jaeger');
  const config = path.join(deploy, 'compose/jaeger.yaml');
  const check = spawnSync(binary, ['validate', '--config', config], { encoding: 'utf8', timeout: 30_000 });
  assert.equal(check.status, 0, check.stdout + check.stderr);
});

test('Kafka takes its settings', { skip: noService('kafka') }, () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'edgeward-kafka-'));
  try {
    // As the image does it: KAFKA_NODE_ID is node.id. What is left is for its start script.
    const settings = Object.entries(compose.services.kafka?.environment ?? {})
      .filter(([name]) => name !== 'KAFKA_HEAP_OPTS' && name !== 'KAFKA_LOG_DIRS')
      .map(([name, value]) => `${name.slice('KAFKA_'.length).toLowerCase().replaceAll('_', '.')}=${value}`);
    const file = path.join(folder, 'server.properties');
    writeFileSync(file, [...settings, `log.dirs=${folder}/data`].join('\n'));
    const words = ['tool', 'kafka.tools.StorageTool', 'format', '-t', '4L6g3nShT-eMCtK--X86sw', '-c', file];
    const format = spawnSync(path.join(root, 'test/services/kafka/kafka.sh'), words, {
      encoding: 'utf8',
      env: { ...process.env, KAFKA_DIR: folder },
    });
    assert.equal(format.status, 0, format.stdout + format.stderr);
    assert.ok(existsSync(path.join(folder, 'data/meta.properties')));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('the secrets that are made are all that is asked for, and mosquitto lets in whom they name', {
  skip: noMosquitto(),
}, async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'edgeward-secrets-'));
  try {
    const secrets = path.join(folder, 'secrets');
    const make = (...names: string[]) =>
      spawnSync(process.execPath, [path.join(deploy, 'compose/secrets.mjs'), ...names], {
        env: { ...process.env, EDGEWARD_SECRETS: secrets },
        encoding: 'utf8',
      });
    const first = make();
    assert.equal(first.status, 0, first.stderr);
    assert.equal(statSync(secrets).mode & 0o777, 0o700);
    const read = (name: string) => readFileSync(path.join(secrets, name), 'utf8');
    const asked = Object.values(compose.secrets).map(({ file }) => path.basename(file));
    assert.deepEqual(readdirSync(secrets).sort(), asked.sort());
    const kept = read('mqtt_collector');
    assert.equal(make('press-1').status, 0);
    assert.equal(read('mqtt_collector'), kept, 'a second run changes no password');
    assert.match(make('no/name').stderr, /"no\/name" cannot be a gateway's name/);
    for (const name of asked) if (name !== 'mosquitto_passwd') assert.ok(!first.stdout.includes(read(name)));
    await using broker = await Mosquitto.start(read('mosquitto_passwd'));
    const url = `mqtt://127.0.0.1:${broker.port}`;
    for (const username of ['collector', 'pump-station', 'press-1']) {
      const client = await mqtt.connectAsync(url, { username, password: read(`mqtt_${username}`) });
      await client.endAsync();
    }
    await assert.rejects(
      mqtt.connectAsync(url, { username: 'press-1', password: kept }, false),
      /[Nn]ot auth/,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
