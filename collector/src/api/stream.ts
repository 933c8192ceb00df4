import type { ServerResponse } from 'node:http';
import type { CollectorViews } from '../views.js';
import { errorBody, HttpError } from './errors.js';
import { noQuery, plainText } from './schemas.js';
import { securityHeaders } from './security.js';
import { type StreamClient, StreamHub } from './stream-hub.js';
import type { Api } from './zod.js';

export interface StreamOptions {
  readonly heartbeatMs: number;
  readonly maxClients: number;
  readonly maxPendingBytes: number;
}

export const streamDefaults: StreamOptions = {
  heartbeatMs: 15_000,
  maxClients: 64,
  maxPendingBytes: 1024 * 1024,
};

/** Server-sent events (HTML standard, section 9.2): `snapshot` events, one `ready`, then messages as they come. */
export function stream(app: Api, views: CollectorViews, options: StreamOptions): void {
  const hub = new StreamHub(views, options);
  const timer = setInterval(() => hub.heartbeat(), options.heartbeatMs);
  timer.unref();
  // Open streams never end by themselves; close() would wait for them.
  app.addHook('preClose', async () => {
    clearInterval(timer);
    hub.dropAll();
  });

  app.get(
    '/api/stream',
    {
      exposeHeadRoute: false,
      schema: {
        tags: ['fleet'],
        summary:
          'Server-sent events: a snapshot, then rows, gateways, incidents, mails, notifications, ledger, sinks and events live',
        querystring: noQuery,
        produces: ['text/event-stream'],
        response: { 200: plainText, default: errorBody },
      },
    },
    (request, reply) => {
      if (hub.full) {
        throw new HttpError('EW_HTTP_BUSY', 'Too many pages are open.', {
          remedy: `Close one; at most ${options.maxClients} are served.`,
        });
      }
      reply.hijack();
      reply.raw.setHeaders(securityHeaders);
      reply.raw.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'x-accel-buffering': 'no',
      });
      const client = clientOf(reply.raw);
      reply.raw.on('close', () => hub.remove(client));
      reply.raw.on('error', error => request.log.debug({ err: error }, 'stream broke'));
      hub.add(client);
    },
  );
}

function clientOf(response: ServerResponse): StreamClient {
  return {
    get pending() {
      return response.writableLength;
    },
    write: text => {
      response.write(text);
    },
    drop: () => response.destroy(),
  };
}
