import { commandHelp, globalHelp } from '../cli/help.js';
import { loadCommand } from '../cli/load.js';
import type { TableEntry } from '../cli/table.js';
import { errorTable } from '../errors.js';
import { code, notice, type Page, table } from './page.js';

export function errorsPage(): Page {
  const rows = Object.entries(errorTable).map(([name, { text, retryable }]) => [
    code(name),
    text,
    retryable ? 'yes' : 'no',
  ]);
  const intro =
    'Codes are a promise, texts are not. A retryable error may go away by itself; Edgeward then tries again.';
  const body = ['# Errors', `${notice}`, intro, table(['Code', 'Meaning', 'Retryable'], rows)];
  return { name: 'errors.md', text: `${body.join('\n\n')}\n` };
}

export async function commandsPage(commands: readonly TableEntry[]): Promise<Page> {
  const sections = [block('edgeward', globalHelp(commands))];
  for (const entry of commands) {
    sections.push(block(`edgeward ${entry.word}`, commandHelp(entry.word, await loadCommand(entry))));
  }
  const codes = table(
    ['Exit code', 'Meaning'],
    [
      ['0', 'done, or stopped as asked'],
      ['1', 'failed'],
      ['2', 'command line or configuration not understood'],
    ],
  );
  return { name: 'commands.md', text: `${['# Commands', notice, ...sections, codes].join('\n\n')}\n` };
}

function block(title: string, text: string): string {
  return `## ${title}\n\n\`\`\`text\n${text.trimEnd()}\n\`\`\``;
}
