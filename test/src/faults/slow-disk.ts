/** A disk that is slow for one process: each of its syncs is held up, whatever the machine's disk does. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { until } from '../support/processes.js';

const syncs = 'fsync,fdatasync,sync_file_range';

export class SlowDisk {
  readonly #tracer: ChildProcess;

  private constructor(tracer: ChildProcess) {
    this.#tracer = tracer;
  }

  /** Needs strace, and that this user may trace the process; with `kernel.yama.ptrace_scope` = 1 only root may. */
  static async of(pid: number, delayMs: number): Promise<SlowDisk> {
    const inject = `inject=${syncs}:delay_enter=${delayMs * 1000}`;
    const args = ['-f', '-q', '-o', '/dev/null', '-e', `trace=${syncs}`, '-e', inject, '-p', String(pid)];
    const disk = new SlowDisk(spawn('strace', args, { stdio: 'ignore' }));
    await until('the process is traced', async () =>
      /^TracerPid:\s*[1-9]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')),
    );
    return disk;
  }

  /** As fast as before. */
  async heal(): Promise<void> {
    const gone = new Promise(resolve => this.#tracer.once('close', resolve));
    if (this.#tracer.exitCode !== null || this.#tracer.signalCode !== null) return;
    this.#tracer.kill('SIGINT');
    await gone;
  }
}
