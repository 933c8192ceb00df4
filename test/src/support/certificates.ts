/** A certificate authority of a test's own, by the openssl command. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const days = '30';

export class Authority {
  readonly #folder: string;
  /** Its certificate. */
  readonly file: string;

  constructor(folder: string, name = 'ca') {
    this.#folder = folder;
    this.file = path.join(folder, `${name}.pem`);
    const subject = ['-subj', `/CN=${name}`, '-days', days];
    openssl('req', '-x509', ...newKey(this.#keyOf(name)), ...subject, '-out', this.file);
  }

  /** Signs a new key for 127.0.0.1 and localhost. */
  issue(name: string): { readonly certificate: string; readonly key: string; readonly both: string } {
    const [key, request] = [this.#keyOf(name), path.join(this.#folder, `${name}.csr`)];
    const [certificate, both] = [
      path.join(this.#folder, `${name}.crt`),
      path.join(this.#folder, `${name}.all`),
    ];
    const extensions = path.join(this.#folder, `${name}.ext`);
    writeFileSync(extensions, 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
    openssl('req', '-new', ...newKey(key), '-subj', `/CN=${name}`, '-out', request);
    const authority = ['-CA', this.file, '-CAkey', this.file.replace(/\.pem$/, '.key'), '-CAcreateserial'];
    openssl(
      'x509',
      '-req',
      '-in',
      request,
      ...authority,
      '-days',
      days,
      '-extfile',
      extensions,
      '-out',
      certificate,
    );
    writeFileSync(both, readFileSync(key, 'utf8') + readFileSync(certificate, 'utf8'));
    return { certificate, key, both };
  }

  #keyOf(name: string): string {
    return path.join(this.#folder, `${name}.key`);
  }
}

function newKey(file: string): string[] {
  return ['-newkey', 'rsa:2048', '-nodes', '-keyout', file];
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
