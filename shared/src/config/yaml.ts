import { type Document, Lexer, LineCounter, Parser, parseDocument } from 'yaml';
import type { ConfigIssue, Path } from './issue.js';
import { offsetOf } from './locate.js';
import { badAliases, duplicateKeys, type Fault, mergeFaults, unclosed } from './yaml-faults.js';
import { yamlProblem } from './yaml-problems.js';

/** A file as plain values, and where each of them stands. */
export interface YamlFile {
  readonly file: string;
  /** Undefined if the file has syntax errors or is empty. */
  readonly value: unknown;
  readonly issues: readonly ConfigIssue[];
  /** Line and column of the value at the path; if it is not there, of the nearest thing around it. */
  locate(path: Path, what: 'key' | 'value'): { line: number; column: number };
}

const maxDepth = 64;
const maxAliases = 100;

/** Parses one YAML 1.2 document with text keys and merge keys. Never throws: what is wrong is in `issues`. */
export function parseYaml(file: string, text: string): YamlFile {
  const deep = firstTooDeep(text);
  if (deep !== undefined) return refused(file, [{ ...deep, file, ...depthProblem }]);
  const lines = new LineCounter();
  // Duplicates are ours to find: the library's message does not say where the first one stands.
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    merge: true,
    stringKeys: true,
    uniqueKeys: false,
    resolveKnownTags: false,
  });
  const position = (offset: number) => {
    const { line, col } = lines.linePos(Math.min(offset, text.length));
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const faults = [
    ...syntaxFaults(document),
    ...duplicateKeys(document, lines),
    ...badAliases(document),
    ...mergeFaults(document),
  ];
  const { value, fault } = faults.length > 0 ? {} : toValue(document);
  if (fault) faults.push(fault);
  if (faults.length > 0)
    return refused(
      file,
      faults.map(({ offset, ...found }) => ({ file, ...position(offset), ...found })),
    );
  return { file, value, issues: [], locate: (path, what) => position(offsetOf(document, path, what)) };
}

function refused(file: string, issues: readonly ConfigIssue[]): YamlFile {
  return { file, value: undefined, issues, locate: () => ({ line: 1, column: 1 }) };
}

function syntaxFaults(document: Document): Fault[] {
  const found = [...document.errors, ...document.warnings];
  const open = found.map(error => unclosed(document, error)).find(fault => fault !== undefined);
  const faults = found.map(error => ({ offset: error.pos[0], field: '', ...yamlProblem(error.code) }));
  // What the parser says about the text behind an open bracket is about the bracket.
  return open ? [...faults.filter(({ offset }) => offset < open.offset), open] : faults;
}

function toValue(document: Document): { value?: unknown; fault?: Fault } {
  try {
    const value: unknown = document.toJS({ maxAliasCount: maxAliases });
    return value === null ? { fault: { offset: 0, field: '', ...emptyProblem } } : { value };
  } catch {
    // Merge sources and anchors have been checked: what is left is growth by aliases of aliases.
    return { fault: { offset: 0, field: '', ...aliasProblem } };
  }
}

const depthProblem = { field: '', problem: `nested deeper than ${maxDepth} levels`, remedy: 'flatten it' };
const emptyProblem = { problem: 'the file is empty', remedy: 'start from the sample file' };
const aliasProblem = { problem: 'too many aliases of aliases', remedy: 'write the values out' };

/**
 * Where nesting passes `maxDepth`. Asked before anything recursive runs: V8 ends the process, without an
 * exception, if a regular expression must be compiled on an almost full stack.
 */
function firstTooDeep(text: string): { line: number; column: number } | undefined {
  const parser = new Parser();
  for (const lexeme of new Lexer().lex(text)) {
    for (const _ of parser.next(lexeme));
    if (parser.stack.length <= maxDepth) continue;
    const before = text.slice(0, parser.offset);
    return { line: before.split('\n').length, column: parser.offset - before.lastIndexOf('\n') };
  }
  return undefined;
}
