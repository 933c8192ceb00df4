// Makes the passwords and tokens that compose.yaml asks for, in the folder `secrets` beside this file; what is there
// stays. Run it again with the names of further gateways to give each of them a password:
//   node deploy/compose/secrets.mjs [GATEWAY...]
import { pbkdf2Sync, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const folder =
  process.env.EDGEWARD_SECRETS ?? path.join(path.dirname(fileURLToPath(import.meta.url)), 'secrets');
const single = [
  'agent_metrics_token',
  'api_password',
  'influxdb_password',
  'influxdb_token',
  'grafana_password',
];
const users = ['collector', 'pump-station', ...process.argv.slice(2)];

const bad = users.find(name => !/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(name));
if (bad !== undefined) {
  console.error(`"${bad}" cannot be a gateway's name. Use letters, digits and _ . - only, at most 64.`);
  process.exit(2);
}
// The files are read by containers that run as several users; the folder keeps everybody else on this machine out.
mkdirSync(folder, { recursive: true, mode: 0o700 });
for (const name of [...single, ...users.map(user => `mqtt_${user}`)]) {
  const file = path.join(folder, name);
  if (existsSync(file)) continue;
  writeFileSync(file, randomBytes(32).toString('base64url'), { mode: 0o644 });
  console.log(`made ${file}`);
}
const lines = readdirSync(folder)
  .filter(name => name.startsWith('mqtt_'))
  .map(name => `${name.slice('mqtt_'.length)}:${hashed(readFileSync(path.join(folder, name), 'utf8'))}`);
writeFileSync(path.join(folder, 'mosquitto_passwd'), `${lines.join('\n')}\n`, { mode: 0o644 });
console.log(`${lines.length} users in ${path.join(folder, 'mosquitto_passwd')}`);

/** As mosquitto_passwd 2 writes it. The passwords are random: a few rounds are enough. */
function hashed(password) {
  const [salt, rounds] = [randomBytes(12), 101];
  const hash = pbkdf2Sync(password, salt, rounds, 64, 'sha512');
  return `$7$${rounds}$${salt.toString('base64')}$${hash.toString('base64')}`;
}
