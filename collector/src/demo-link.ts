/** Only under the demo, which is our parent process: the page's buttons reach its director through this. */
import type { DemoAction, DemoControls, DemoState } from './views.js';

interface Answer {
  readonly id: number;
  readonly state?: DemoState;
  readonly error?: string;
}

const answerWithinMs = 5000;

/** Undefined when nobody started us as part of a demo. */
export function demoLink(): DemoControls | undefined {
  if (!process.send) return undefined;
  const waiting = new Map<number, (answer: Answer) => void>();
  let last = 0;
  process.on('message', message => {
    const { demo } = message as { demo?: Answer };
    if (demo) waiting.get(demo.id)?.(demo);
  });
  const ask = async (act?: DemoAction): Promise<DemoState> => {
    const id = ++last;
    const answer = await new Promise<Answer>(resolve => {
      const timer = setTimeout(() => resolve({ id, error: 'the demo does not answer' }), answerWithinMs);
      waiting.set(id, found => {
        clearTimeout(timer);
        resolve(found);
      });
      process.send?.({ demo: { id, ...(act && { act }) } });
    });
    waiting.delete(id);
    if (answer.state) return answer.state;
    throw new Error(answer.error ?? 'the demo refused');
  };
  return { state: () => ask(), act: action => ask(action) };
}
