import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, TLSSocket } from 'node:tls';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import { FrameError } from './frames.js';

export interface DialOptions {
  /** `mqtt://host:port` or `mqtts://host:port`. */
  readonly url: string;
  /** Path of a PEM file. */
  readonly ca?: string | undefined;
  readonly connectTimeoutMs: number;
}

export function unavailable(url: string, cause: Error): EdgewardError {
  const detail =
    cause instanceof FrameError ? `it sent what cannot be read: ${cause.message}` : cause.message;
  return new EdgewardError('EW_SOURCE_UNAVAILABLE', `The broker ${url}: ${detail}.`, { cause });
}

/** @returns undefined if `stop` fired */
export async function openSocket(options: DialOptions, stop: AbortSignal): Promise<Socket | undefined> {
  const { url, connectTimeoutMs } = options;
  const socket = await dial(options);
  const late = () => socket.destroy(new Error(`no connection within ${connectTimeoutMs} ms`));
  const timer = setTimeout(late, connectTimeoutMs);
  try {
    await once(socket, socket instanceof TLSSocket ? 'secureConnect' : 'connect', { signal: stop });
    return socket;
  } catch (error) {
    socket.destroy();
    if (stop.aborted) return undefined;
    throw unavailable(url, error instanceof Error ? error : new Error(messageOf(error)));
  } finally {
    clearTimeout(timer);
  }
}

async function dial({ url, ca }: DialOptions): Promise<Socket> {
  const { protocol, hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  if (protocol !== 'mqtts:') return connectTcp({ host, port: Number(port || 1883) });
  const pem = ca === undefined ? undefined : await readPem(ca);
  return connectTls({
    host,
    port: Number(port || 8883),
    ...(isIP(host) === 0 && { servername: host }),
    ...(pem !== undefined && { ca: pem }),
  });
}

async function readPem(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new EdgewardError('EW_CONFIG_FILE', `The file ${file} (ca): ${messageOf(error)}`, { cause: error });
  }
}
