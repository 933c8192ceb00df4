import type { DemoControls } from '../views.js';
import { errorBody } from './errors.js';
import { demoAction, demoState, noQuery } from './schemas.js';
import type { Api } from './zod.js';

const tags = ['demo'];

/** Only in the demo: faults, cut links and kills at the press of a button. */
export function demo(app: Api, controls: DemoControls): void {
  app.get(
    '/api/demo',
    {
      schema: {
        tags,
        summary: 'What the play stands at',
        querystring: noQuery,
        response: { 200: demoState, default: errorBody },
      },
    },
    () => controls.state(),
  );

  app.post(
    '/api/demo',
    {
      schema: {
        tags,
        summary: 'Inject a fault, cut or heal a link, kill -9 an agent',
        querystring: noQuery,
        body: demoAction,
        response: { 200: demoState, default: errorBody },
      },
    },
    request => controls.act(request.body),
  );
}
