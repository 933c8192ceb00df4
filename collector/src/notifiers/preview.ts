/** Sample mails as files: to see what will be sent, without a server. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { drawPlot } from './chart-svg.js';
import type { StoredChart } from './charts.js';
import type { MailConfig } from './config.js';
import { withChart } from './mail-html.js';
import { wireOf } from './mime.js';
import { Painter } from './painter.js';
import type { Plot } from './plot.js';
import { type NewMail, newDigest, newMail, outgoing, type QueuedMail } from './queued-mail.js';
import { type Sample, samples } from './samples.js';

const paintMs = 20_000;

/**
 * Writes `.eml`, `.html`, `.txt` and `.png` of one mail of each kind into a folder, which is made if need be.
 * @returns the names of the files
 */
export async function previewMails(folder: string, config: MailConfig, collector: string): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  await using painter = new Painter();
  const files: string[] = [];
  const shown = { ...config, smtp: undefined };
  const thread: QueuedMail[] = [];
  for (const sample of samples) {
    const made = mailOf(sample, shown, collector, thread);
    if (sample.incident.id === samples[0]!.incident.id) thread.push(made.mail);
    const chart = sample.plot && (await paint(painter, sample.plot));
    files.push(...(await write(folder, sample.name, made, chart, collector)));
  }
  files.push(...(await write(folder, 'digest', digestOf(config, collector), undefined, collector)));
  return files;
}

function mailOf(
  { kind, incident, told }: Sample,
  config: MailConfig,
  collector: string,
  thread: readonly QueuedMail[],
): NewMail {
  const order = thread.length + 1;
  const earlier = thread.filter(({ view }) => view.incidentId === incident.id);
  const nowMs = incident.closedMs ?? incident.lastMs;
  const request = { kind, incident, ...(told && { told }) };
  return newMail(request, { config, collector, drawn: true, order, nowMs, thread: earlier });
}

/** Of mails that were held, as `info` in a digest is. */
function digestOf(config: MailConfig, collector: string): NewMail {
  const smtp = { host: 'localhost', port: 25, secure: 'none' as const };
  const digest = { severities: ['info' as const, 'warning' as const], everyMs: 3_600_000 };
  const holding = { ...config, smtp, digest, quietHours: undefined };
  const held = samples
    .map(sample => ({ ...sample, incident: { ...sample.incident, severity: 'warning' as const } }))
    .map(sample => mailOf(sample, holding, collector, []).mail);
  const nowMs = Math.max(...held.map(({ view }) => view.createdMs));
  return newDigest(held, { config, collector, order: 1, nowMs });
}

async function paint(painter: Painter, plot: Plot): Promise<StoredChart> {
  const { svg, ...rest } = drawPlot(plot);
  const png = await painter.paint(svg, paintMs);
  return { ...rest, png: Buffer.from(png).toString('base64') };
}

async function write(
  folder: string,
  name: string,
  { mail, body }: NewMail,
  chart: StoredChart | undefined,
  collector: string,
): Promise<string[]> {
  const inline = chart && { ...chart, src: `data:image/png;base64,${chart.png}` };
  const contents: Record<string, string | Buffer> = {
    [`${name}.eml`]: await wireOf(outgoing(mail, { ...body, chart }), collector),
    [`${name}.html`]: withChart(body.html, inline),
    [`${name}.txt`]: `Subject: ${body.subject}\n\n${body.text}`,
    ...(chart && { [`${name}.png`]: Buffer.from(chart.png, 'base64') }),
  };
  for (const [file, content] of Object.entries(contents)) await writeFile(path.join(folder, file), content);
  return Object.keys(contents);
}
