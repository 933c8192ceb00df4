/** Clients that push numbered rows and keep their own record of what they were told. */
import assert from 'node:assert/strict';
import { load, post } from './http-load.js';
import type { StoredRow } from './sink-rows.js';

/** Requests without a key: none is ever sent twice. */
export class PlainClients {
  readonly sent = new Set<number>();
  readonly yes = new Set<number>();
  #next = 0;

  /** Until the agent is gone. */
  async run(port: number, stop: AbortSignal): Promise<void> {
    const from = this.#next;
    const request = (n: number) => {
      this.#next = Math.max(this.#next, from + n + 1);
      this.sent.add(from + n);
      return post('/write', `plain,device=plain-${n % 3} n=${from + n}i`);
    };
    const onAnswer = (n: number, status: number) => {
      if (status === 204) this.yes.add(from + n);
    };
    await load({ port, connections: 8, pipelined: 4, request, onAnswer }, stop);
  }
}

/** Requests with a key, over devices of two types, sent again until they are told yes. */
export class KeyedClients {
  readonly yes = new Set<number>();
  retries = 0;
  #next = 0;

  async run(port: number, stop: AbortSignal): Promise<void> {
    await Promise.all(Array.from({ length: 6 }, () => this.#one(port, stop)));
  }

  async #one(port: number, stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const n = this.#next++;
      while (!(await this.#tried(port, n))) this.retries += 1;
      this.yes.add(n);
    }
  }

  async #tried(port: number, n: number): Promise<boolean> {
    const rows = ['left', 'right'].map(side => ({ device: `keyed-${side}`, type: side, values: { n } }));
    const headers = { 'idempotency-key': `request-${n}` };
    try {
      const url = `http://127.0.0.1:${port}/rows`;
      return (await fetch(url, { method: 'POST', headers, body: JSON.stringify(rows) })).status === 204;
    } catch {
      await new Promise(resolve => setTimeout(resolve, 20)); // it is being started again
      return false;
    }
  }
}

/** @param told  yes was the answer @param known  was sent, whatever the answer */
export function assertOnce(
  rows: readonly StoredRow[],
  device: RegExp,
  told: ReadonlySet<number>,
  known: ReadonlySet<number>,
) {
  const found = rows.filter(row => device.test(row.device)).map(({ values }) => values.n!);
  const stored = new Set(found);
  assert.equal(stored.size, found.length, `${device}: none twice`);
  const lost = [...told].filter(n => !stored.has(n));
  assert.deepEqual(lost, [], `${device}: told yes and lost`);
  const unknown = [...stored].filter(n => !known.has(n));
  assert.deepEqual(unknown, [], `${device}: never sent`);
}
