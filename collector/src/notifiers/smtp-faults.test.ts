/** What mail servers do on bad days; every mail has to come once, and none may be lost. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { testCertificate, testKey } from '@edgeward/shared/testing/test-certificate';
import { afterwards, temporaryFolder } from '../testing/alert-bench.js';
import { anIncident } from '../testing/an-incident.js';
import { answer, configFor, kindsOf, mailProcess, mailServer, until } from '../testing/mail-server.js';
import type { MailView } from '../views.js';
import type { ChartMaker, StoredChart } from './charts.js';

const limit = { timeout: 30_000 };
const opened = 'inc-0123456789abcdef-opened';
const isSent = (mail: MailView) => mail.state === 'sent';

/** Stands before a server; what becomes of each connection is the test's. */
async function relay(t: TestContext, behave: (client: Socket, i: number) => void) {
  let connections = 0;
  const sockets = new Set<Socket>();
  const server = createServer(client => {
    sockets.add(client);
    client.on('error', () => undefined);
    behave(client, connections++);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  afterwards(t, async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, connections: () => connections };
}

/** To a real server, as far as `there` and `back` let it through. */
function passOn(
  client: Socket,
  port: number,
  there: (data: Buffer) => Buffer | undefined = data => data,
  back: (data: Buffer) => Buffer | undefined = data => data,
): void {
  const upstream = connect(port, '127.0.0.1');
  upstream.on('error', () => undefined);
  const carry = (from: Socket, to: Socket, change: (data: Buffer) => Buffer | undefined) => {
    from.on('data', data => {
      const passed = change(data);
      if (passed) to.write(passed);
      else for (const socket of [client, upstream]) socket.destroy();
    });
    from.on('close', () => to.destroy());
  };
  carry(client, upstream, there);
  carry(upstream, client, back);
}

test('a server that trickles for ever is given up in time', limit, async t => {
  const server = await mailServer(t);
  const front = await relay(t, (client, i) => {
    if (i > 0) return passOn(client, server.port);
    const drip = setInterval(() => client.write('220-still here\r\n'), 20);
    client.on('close', () => clearInterval(drip));
  });
  const sender = { mailMs: 300 };
  const { queue, put } = await mailProcess(t, await temporaryFolder(t), configFor(front.port), { sender });
  await put('opened');
  await until(queue, opened, isSent);
  assert.equal(front.connections(), 2);
  assert.equal(server.received.length, 1);
});

test('a line cut in the middle of the text: it comes whole with the next try', limit, async t => {
  const server = await mailServer(t);
  const front = await relay(t, (client, i) => {
    passOn(client, server.port, data => {
      if (i > 0 || !data.includes('Subject:')) return data;
      setImmediate(() => client.destroy());
      return data.subarray(0, data.length / 2);
    });
  });
  const { queue, put } = await mailProcess(t, await temporaryFolder(t), configFor(front.port));
  await put('opened');
  await until(queue, opened, isSent);
  assert.equal(front.connections(), 2);
  assert.deepEqual(kindsOf(server.received), ['opened']);
});

test('421 means the server: nothing is refused, all come later', limit, async t => {
  let asked = 0;
  const server = await mailServer(t, {
    onMailFrom(_address, _session, done) {
      done(asked++ < 2 ? answer(421, 'closing') : null);
    },
  });
  const { queue, put } = await mailProcess(t, await temporaryFolder(t), configFor(server.port));
  await put('opened');
  await put('opened', anIncident({ id: 'inc-2' }));
  await until(queue, opened, isSent);
  await until(queue, 'inc-2-opened', isSent);
  assert.equal(server.received.length, 2);
  assert.equal(queue.delays, 2);
});

test('each recipient has a fate of its own, over a restart too', limit, async t => {
  let refuseFor: string | undefined = 'chief';
  const server = await mailServer(t, {
    onRcptTo({ address }, _session, done) {
      if (address.startsWith('gone')) return done(answer(550, 'unknown'));
      done(refuseFor && address.startsWith(refuseFor) ? answer(452, 'mailbox full') : null);
    },
  });
  const folder = await temporaryFolder(t);
  const config = configFor(server.port, {
    to: ['shift@plant.example', 'gone@plant.example', 'chief@plant.example'],
  });
  const first = await mailProcess(t, folder, config);
  await first.put('opened');
  await until(first.queue, opened, mail => /452/.test(mail.reason ?? ''));
  await first.stop();
  refuseFor = undefined;
  const { queue } = await mailProcess(t, folder, config);
  const sent = await until(queue, opened, isSent);
  assert.match(sent.reason ?? '', /refused for gone@plant\.example/);
  const taken = server.received.map(({ to }) => to);
  assert.deepEqual(taken, [['shift@plant.example'], ['chief@plant.example']]);
});

for (const secure of ['starttls', 'tls'] as const)
  test(
    `${secure}: only to a server whose certificate is trusted, and the password only then`,
    limit,
    async t => {
      const passwords: string[] = [];
      const server = await mailServer(t, {
        secure: secure === 'tls',
        disabledCommands: [],
        key: testKey,
        cert: testCertificate,
        authOptional: false,
        onAuth({ password }, { secure: isSecure }, done) {
          passwords.push(`${isSecure} ${password}`);
          done(null, { user: 'edgeward' });
        },
      });
      const folder = await temporaryFolder(t);
      const ca = path.join(folder, 'ca.pem');
      const secretFile = path.join(folder, 'password');
      await writeFile(ca, testCertificate);
      await writeFile(secretFile, 'hunter2\n');
      const login = { user: 'edgeward', password: { file: secretFile } };
      const smtp = { host: '127.0.0.1', port: server.port, secure, ...login };
      const stranger = await mailProcess(t, folder, configFor(undefined, { smtp }));
      await stranger.put('opened');
      const delayed = await until(stranger.queue, opened, mail => mail.reason !== null);
      assert.match(delayed.reason ?? '', /certificate/i);
      assert.doesNotMatch(JSON.stringify(delayed), /hunter2/);
      assert.deepEqual(passwords, []);
      await stranger.stop();
      const { queue } = await mailProcess(t, folder, configFor(undefined, { smtp: { ...smtp, ca } }));
      await until(queue, opened, isSent);
      assert.deepEqual(passwords, ['true hunter2']);
    },
  );

const chart: StoredChart = {
  png: Buffer.from('\u0089PNG, as it were').toString('base64'),
  alt: 'Chart of <flow>',
  width: 440,
  height: 300,
};

test('the chart stands in the mail, the same in every try, and on the page', limit, async t => {
  let drawn = 0;
  const charts: ChartMaker = { chartOf: async () => (drawn++ === 0 ? chart : undefined) };
  const server = await mailServer(t);
  server.answers.push(answer(451, 'try later'));
  const config = configFor(server.port);
  const { queue, put } = await mailProcess(t, await temporaryFolder(t), config, { charts });
  await put('opened');
  await put('opened', anIncident({ id: 'inc-2' }));
  await until(queue, opened, isSent);
  await until(queue, 'inc-2-opened', isSent);
  const raw = server.received.find(one => one.raw.includes(opened))!.raw;
  const cid = /^Content-Id: <([^>]+)>/im.exec(raw)?.[1];
  assert.ok(cid?.includes(opened));
  const html = raw.replaceAll(/=\r\n/g, '');
  assert.ok(html.includes(`<img src=3D"cid:${cid}"`) || html.includes(`<img src="cid:${cid}"`));
  assert.match(raw, /^Content-Disposition: inline/m);
  assert.ok(raw.includes(chart.png));
  const page = await queue.body(opened);
  assert.ok(page?.html.includes(`<img src="data:image/png;base64,${chart.png}" alt="Chart of &lt;flow&gt;"`));
  const without = server.received.find(one => one.raw.includes('inc-2'))!.raw;
  assert.doesNotMatch(without, /<img|Content-Disposition/);
  assert.doesNotMatch((await queue.body('inc-2-opened'))!.html, /<img|<!-- chart/);
  assert.equal(drawn, 2);
});

test('no mail waits long for its chart', limit, async t => {
  const asked: number[] = [];
  const charts: ChartMaker = {
    chartOf: async (_spec, withinMs) => {
      asked.push(withinMs);
      return undefined;
    },
  };
  const server = await mailServer(t);
  const { queue, put } = await mailProcess(t, await temporaryFolder(t), configFor(server.port), { charts });
  await put('opened');
  await until(queue, opened, isSent);
  assert.ok(asked[0]! > 0 && asked[0]! <= 2000, `${asked[0]} ms`);
});
