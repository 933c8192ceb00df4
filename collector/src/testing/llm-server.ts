/** A real HTTP server that plays a language model's, and may misbehave in any way. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

export type Behaviour = (received: Received, response: ServerResponse) => void;

export class LlmServer {
  readonly received: Received[] = [];
  behaviour: Behaviour;
  #url = '';

  private constructor(behaviour: Behaviour) {
    this.behaviour = behaviour;
  }

  static async start(t: TestContext, behaviour: Behaviour): Promise<LlmServer> {
    const llm = new LlmServer(behaviour);
    const server = createServer(async (request, response) => {
      let text = '';
      for await (const chunk of request) text += chunk;
      const { method = '', url: path = '', headers } = request;
      const received = { method, path, headers, text };
      llm.received.push(received);
      llm.behaviour(received, response);
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    llm.#url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return llm;
  }

  get url(): string {
    return this.#url;
  }
}

export function sendJson(response: ServerResponse, json: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
}

/** As chat completions answer. */
export function completion(content: unknown, more: Readonly<Record<string, unknown>> = {}) {
  const text = typeof content === 'string' ? content : JSON.stringify(content);
  return {
    choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop', ...more }],
    usage: { prompt_tokens: 900, completion_tokens: 100, total_tokens: 1000 },
  };
}
