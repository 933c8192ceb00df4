/** A mail server of ours that takes whatever comes. */
import { once } from 'node:events';
import { SMTPServer } from 'smtp-server';

export class MailServer implements AsyncDisposable {
  readonly subjects: string[] = [];
  readonly #server: SMTPServer;

  private constructor() {
    this.#server = new SMTPServer({
      authOptional: true,
      disabledCommands: ['STARTTLS'],
      onData: (stream, _session, done) => {
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('end', () => {
          const [, subject = ''] = /^Subject: (.*)$/m.exec(Buffer.concat(chunks).toString('utf8')) ?? [];
          this.subjects.push(subject.trim());
          done();
        });
      },
    });
    this.#server.on('error', () => undefined);
  }

  static async listen(port: number): Promise<MailServer> {
    const server = new MailServer();
    server.#server.listen(port, '127.0.0.1');
    await once(server.#server.server, 'listening');
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>(resolve => this.#server.close(() => resolve()));
  }
}
