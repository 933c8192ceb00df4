import path from 'node:path';
import { type Command, configFileOption } from '@edgeward/shared/command';
import { loadConfig } from '@edgeward/shared/config';
import { collectorConfig } from './config.js';
import { previewMails } from './notifiers/preview.js';

/** `edgeward mail`. */
export const command: Command = {
  name: 'mail',
  summary: 'Write sample mails as files, to see what will be sent; no server is asked',
  examples: ['edgeward mail --preview ./mails', 'edgeward mail --preview ./mails -c collector.yaml'],
  options: {
    preview: {
      type: 'string',
      placeholder: 'DIR',
      description: 'folder for the mails, as .eml, .html, .txt and .png; made if it does not exist',
      required: true,
    },
    config: {
      ...configFileOption,
      required: false,
      description: 'Configuration file (YAML) whose sender, recipients and links are used',
    },
  },
  async run(values, { stdout }) {
    const config = values.config
      ? await loadConfig(String(values.config), collectorConfig)
      : collectorConfig.parse({});
    const folder = path.resolve(String(values.preview));
    const files = await previewMails(folder, config.mail, config.name);
    stdout.write(`${files.map(file => path.join(folder, file)).join('\n')}\n`);
    return 0;
  },
};
