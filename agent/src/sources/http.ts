import type { RecordBatch, Source, SourcePosition } from '@edgeward/shared/contracts';
import { EdgewardError } from '@edgeward/shared/errors';
import { Gate } from '@edgeward/shared/gate';
import { defineSource, type SourceContext } from './define.js';
import { HttpAccess, readToken } from './http-access.js';
import { type Answer, partly, refusal, stopping, stored } from './http-answer.js';
import { Room } from './http-body.js';
import { type HttpConfig, httpConfig, httpMisfits } from './http-config.js';
import { HttpDevices } from './http-devices.js';
import { HttpIntake } from './http-intake.js';
import { readRows } from './http-json.js';
import { digestOf, type KeyRecord, KeyWindow } from './http-keys.js';
import { readLines } from './http-lines.js';
import { HttpListener, type Received } from './http-listener.js';
import { HttpRefusal } from './http-problem.js';
import { HttpRejects } from './http-rejects.js';
import type { Unnumbered } from './http-rows.js';
import { SeriesReader } from './http-series.js';
import { type Group, noteKeys, type Reply, type WaitingRequest, WaitingRequests } from './http-waiting.js';

/** Readings that others push: JSON rows and Influx line protocol. Answers yes only to what is durable. */
export const http = defineSource({
  type: 'http',
  config: httpConfig,
  create: (config, context) => new HttpSource(config, context),
});

const late = new HttpRefusal(
  429,
  'EW_HTTP_BUSY',
  'Readings cannot be stored now: the outbox has no room, or its disk is slow. Remedy: send it again after Retry-After.',
  5,
);

/** Clients have so long to read their answers once all is stored. */
const answerMs = 1000;

/** Told of the port, for tests and logs: with port 0 only the listener knows it. */
export interface Listening {
  onListening?: (port: number) => void;
}

export class HttpSource implements Source, Listening {
  readonly acknowledges = true;
  onListening?: (port: number) => void;
  readonly #config: HttpConfig;
  readonly #context: SourceContext;
  readonly #devices: HttpDevices;
  readonly #series: SeriesReader;
  readonly #keys: KeyWindow;
  readonly #waiting = new WaitingRequests();
  readonly #rejects: HttpRejects;
  readonly #room: Room;
  readonly #arrived = new Gate();
  /** Being stored. Outlives one `read`, so that the same batch is handed over again when storing it failed. */
  #group: Group | undefined;
  #position: SourcePosition | undefined;
  #late = false;
  #stop: AbortSignal = new AbortController().signal;

  /** @throws EW_CONFIG_INVALID if others could reach it without a token */
  constructor(config: HttpConfig, context: SourceContext) {
    const [misfit] = httpMisfits(config);
    if (misfit)
      throw new EdgewardError(
        'EW_CONFIG_INVALID',
        `${misfit.path.join('.')}: ${misfit.problem}. Remedy: ${misfit.remedy}.`,
      );
    this.#config = config;
    this.#context = context;
    this.#devices = new HttpDevices(config, device => context.rows.claim(device));
    this.#series = new SeriesReader(config, this.#devices);
    this.#keys = new KeyWindow(config.idempotencyKeys, context.position);
    this.#rejects = new HttpRejects(context);
    this.#room = new Room(config.maxWaitingBytes);
  }

  /** The keys of requests that are stored with the batch just yielded, or before it. */
  position(): SourcePosition | undefined {
    return this.#position;
  }

  async *read(stop: AbortSignal): AsyncGenerator<RecordBatch, void, void> {
    yield* this.#store();
    if (stop.aborted) return;
    this.#stop = stop;
    const listener = await this.#listen();
    const onStop = () => listener.stop();
    stop.addEventListener('abort', onStop);
    let lingerMs = 0; // if storing failed, whoever still waits is not to be answered
    try {
      yield* this.#storeAll(stop);
      lingerMs = answerMs;
    } finally {
      stop.removeEventListener('abort', onStop);
      this.#waiting.refuseAll(stopping);
      this.#rejects.tell();
      await listener.close(lingerMs);
    }
  }

  /** Until `stop`, and then what is left. */
  async *#storeAll(stop: AbortSignal): AsyncGenerator<RecordBatch, void, void> {
    for (;;) {
      await turn(); // what has come by now goes along
      this.#group = this.#waiting.nextGroup(this.#config.batchRows);
      if (this.#group) yield* this.#store();
      else if (stop.aborted) return;
      else await this.#arrived.wait(stop);
    }
  }

  async #listen(): Promise<HttpListener> {
    const { config, room } = { config: this.#config, room: this.#room };
    const listener = await HttpListener.open({
      config,
      access: new HttpAccess(config.token && (await readToken(config.token))),
      room,
      busy: () => (this.#late ? late : undefined),
      take: (received, reply) => this.#take(received, reply),
      onRefusal: status => this.#rejects.refused(status, this.#stop),
    });
    this.#context.log.info({ host: config.host, port: listener.port }, 'listening');
    this.onListening?.(listener.port);
    return listener;
  }

  /** Block by block; back from the last one, all of the group is durable, and its clients are told. */
  *#store(): Generator<RecordBatch, void, void> {
    const group = this.#group;
    if (!group) return;
    while (group.done < group.blocks.length) {
      if (!group.out) {
        group.out = this.#numbered(group.blocks[group.done]!);
        const keyed = group.requests.some(({ key }) => key !== undefined);
        if (keyed) noteKeys(group, this.#keys);
        this.#position = keyed ? this.#keys.position() : undefined;
      }
      yield* this.#watched(group.out);
      group.out = undefined;
      group.done += 1;
    }
    this.#group = undefined;
    this.#waiting.settle(group);
  }

  /** Out for longer than `patienceMs`: whoever waits is told to come later. */
  *#watched(batch: RecordBatch): Generator<RecordBatch, void, void> {
    const back = new AbortController();
    void this.#context.clock.sleep(this.#config.patienceMs, back.signal).then(() => {
      if (back.signal.aborted) return;
      this.#late = true;
      this.#waiting.refuseAll(late);
    });
    try {
      yield batch;
    } finally {
      this.#late = false;
      back.abort('stored');
    }
  }

  #numbered(block: Unnumbered): RecordBatch {
    const { rows } = this.#context;
    const { devices } = block.schema;
    const row = new Float64Array(block.device.length);
    for (let i = 0; i < row.length; i++) row[i] = rows.next(devices[block.device[i]!]!);
    return { ...block, row };
  }

  #take({ format, text, key }: Received, reply: Reply): (() => void) | undefined {
    const digest = key === undefined || this.#config.idempotencyKeys === 0 ? undefined : digestOf(key);
    const same = digest === undefined ? undefined : this.#waiting.withKey(digest);
    if (same) return this.#join(same, reply);
    const record = digest === undefined ? undefined : this.#keys.find(digest);
    const intake = new HttpIntake(this.#devices, this.#context.clock.now(), this.#config.maxRows);
    if (format === 'rows') readRows(text, this.#devices, intake);
    else readLines(text, format, this.#series, intake);
    if (record && !record.stored) return void reply(this.#again(record, intake));
    this.#rejects.add(intake, this.#stop);
    if (intake.rows.count === 0) return void reply(nothing(intake));
    const { rows, refused, errors } = intake;
    const request = { rows, refused, errors, key: digest, stored: record?.stored, replies: new Set<Reply>() };
    this.#waiting.add(request);
    this.#arrived.open();
    return this.#join(request, reply);
  }

  #join(request: WaitingRequest, reply: Reply): () => void {
    request.replies.add(reply);
    return () => this.#waiting.leave(request, reply);
  }

  /** A retry of what is stored: the same answer, and no new rows. */
  #again({ accepted, refused }: KeyRecord, { errors }: HttpIntake): Answer {
    return refused === 0 ? stored : partly(accepted, refused, errors);
  }
}

function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}

/** No point, or none that could be taken. */
function nothing({ refused, errors }: HttpIntake): Answer {
  if (refused > 0) return partly(0, refused, errors);
  return refusal(
    new HttpRefusal(400, 'EW_HTTP_REQUEST', 'The body has no point. Remedy: send at least one.'),
  );
}
