import type { CommandOption, CommandValues } from '@edgeward/shared/command';

/** One kind of data set that `edgeward evaluate` scores. A new one: a file of its own and a line in kinds.ts. */
export interface EvaluationKind {
  /** Second word of the command line. */
  readonly name: string;
  readonly summary: string;
  /** Options beside --data and --out. One that several kinds have must be the same object in all. */
  readonly options: Readonly<Record<string, CommandOption>>;
  /** Columns of the CSV. */
  readonly columns: readonly string[];
  /**
   * Lines of the CSV below its head, each with its line break, in pieces of any size. Reads no label before it has said
   * what it says of the row.
   * @throws EW_EVALUATE_INPUT naming file, line, column, value and remedy
   */
  predict(task: EvaluationTask): AsyncGenerator<string, void, void>;
}

export interface EvaluationTask {
  /** At least one folder. */
  readonly folders: readonly string[];
  /** As given on the command line; only options of its own. */
  readonly values: CommandValues;
}
