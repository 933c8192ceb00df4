import { type EngineName, type LoadedModel, openModel } from '@edgeward/models/engines';
import type { AgentEvent } from '@edgeward/shared/contracts';
import { hasCode, messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';

type Notice = Pick<AgentEvent, 'kind' | 'text' | 'details'>;

/**
 * Loads what can be loaded. A bundle that is altered, incomplete or does not reproduce its golden scores is left
 * out with an event: readings matter more than scores, so the agent runs without it.
 */
export async function loadModels(
  folders: readonly string[],
  engine: EngineName,
  log: Logger,
  onEvent: (event: Notice) => void,
): Promise<LoadedModel[]> {
  const models: LoadedModel[] = [];
  for (const folder of folders) {
    try {
      models.push(await openModel(folder, { engine, log }));
    } catch (error) {
      log.error({ folder, error: messageOf(error) }, 'model is not used');
      const reason = hasCode(error, 'EW_MODEL_GOLDEN')
        ? 'does not reproduce its golden scores'
        : 'cannot be used';
      onEvent({
        kind: 'model',
        text: `A model bundle ${reason}; its devices go unscored.`,
        details: { folder, error: messageOf(error).slice(0, 400) },
      });
    }
  }
  return models;
}
