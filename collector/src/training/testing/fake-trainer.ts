/** A training process that is none: its work is done here, which costs a test no start of a process. */
import { EventEmitter } from 'node:events';
import type { ToTrainer } from '../request.js';
import type { TrainerProcess } from '../trainer.js';
import { TrainingWork } from '../training-work.js';

/** @param answers  false: it hangs at the end, until it is killed */
export function fakeTrainer({ answers = true } = {}): TrainerProcess {
  const process = new EventEmitter();
  const work = new TrainingWork();
  const send = (message: ToTrainer, done: (error: Error | null) => void) => {
    // As through a pipe, which keeps nothing of the sender's.
    const answer = work.take(structuredClone(message));
    done(null);
    if (answer && answers) setImmediate(() => process.emit('message', answer));
    return true;
  };
  const kill = () => {
    setImmediate(() => process.emit('exit', null, 'SIGKILL'));
    return true;
  };
  return Object.assign(process, { send, kill }) as unknown as TrainerProcess;
}
