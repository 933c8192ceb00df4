/** A word after `edgeward`, and the module that does the work; loaded only when the word is used. */
export interface TableEntry {
  readonly word: string;
  readonly module: string;
  readonly summary: string;
  /** SIGHUP does not end it: it reads its configuration again. */
  readonly hearsHangUps?: true;
}

export const commandTable: readonly TableEntry[] = [
  {
    word: 'demo',
    module: '@edgeward/simulators/demo/command',
    summary: 'play a small plant with faults on this machine',
  },
  {
    word: 'agent',
    module: '@edgeward/agent/command',
    summary: 'read devices, score, keep until receipt, forward',
  },
  {
    word: 'collector',
    module: '@edgeward/collector/command',
    summary: 'receive, journal, watch, mail, show on a page',
    hearsHangUps: true,
  },
  {
    word: 'simulate',
    module: '@edgeward/simulators/command',
    summary: 'write what simulated devices would send',
  },
  {
    word: 'train',
    module: '@edgeward/models/train-command',
    summary: 'train a model from CSV files of normal operation',
  },
  {
    word: 'score',
    module: '@edgeward/models/score-command',
    summary: 'score CSV files by a model, row by row as a gateway does',
  },
  {
    word: 'evaluate',
    module: '@edgeward/models/evaluate/command',
    summary: 'score labelled data sets the way live rows are scored',
  },
  { word: 'check', module: '@edgeward/shared/check-command', summary: 'check a configuration file' },
  {
    word: 'audit',
    module: '@edgeward/shared/audit-command',
    summary: 'is a row missing or doubled? agents, journal and sinks against each other',
  },
  {
    word: 'sinks',
    module: '@edgeward/collector/sinks-command',
    summary: 'how far the sinks of a running collector have come; pause, resume, reload',
  },
  {
    word: 'replay',
    module: '@edgeward/collector/replay-command',
    summary: 'try dead letters of a running collector again',
  },
  {
    word: 'models',
    module: '@edgeward/collector/models-command',
    summary: 'which models gateways run; give them another one, or the one before',
  },
  {
    word: 'mail',
    module: '@edgeward/collector/mail-command',
    summary: 'write sample mails as files, to see what will be sent',
  },
  {
    word: 'notify',
    module: '@edgeward/collector/notify-command',
    summary: 'send a test to a Slack channel or webhook, or show what it would get',
  },
  {
    word: 'fsck',
    module: '@edgeward/shared/fsck-command',
    summary: 'check and repair the stores of a stopped agent or collector',
  },
];
