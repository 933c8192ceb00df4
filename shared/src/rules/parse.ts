import { type Argument, callOf, checkFunction } from './calls.js';
import { Cursor } from './cursor.js';
import { maxDurationMs, parseDuration, printDuration } from './duration.js';
import type { Arithmetic, Comparison, Condition, Term } from './expression.js';
import type { Token } from './tokenize.js';

export interface ParsedRule {
  readonly condition: Condition;
  /** Each field with the place of its first use, in order of use. */
  readonly fields: ReadonlyMap<string, number>;
}

/**
 * Grammar, loosest first: or, and, not, `for` a duration, one comparison, + -, * /, unary -, then numbers, fields,
 * calls, brackets.
 * @throws EW_RULE_SYNTAX
 */
export function parseRule(text: string): ParsedRule {
  return new Parser(text).rule();
}

type Expression = Term | Condition;

const comparisons: readonly Comparison[] = ['>', '>=', '<', '<=', '==', '!='];
const conditions: readonly Expression['kind'][] = ['compare', 'and', 'or', 'not', 'for'];
const maxDepth = 32;

class Parser {
  readonly #tokens: Cursor;
  readonly #fields = new Map<string, number>();
  #depth = 0;
  /** Where each `for` stands. */
  readonly #lasting: Token[] = [];
  /** Whether an `and`, `or` or `not` came before in the same brackets. */
  #joinedBefore = false;

  constructor(text: string) {
    this.#tokens = new Cursor(text);
  }

  rule(): ParsedRule {
    const condition = this.#condition(this.#tokens.peek(), this.#or());
    const rest = this.#tokens.peek();
    if (rest.kind !== 'end')
      this.#tokens.fail(`Expected "and", "or" or the end, found "${rest.text}".`, rest);
    if (this.#fields.size === 0) this.#tokens.fail('The rule names no field.', { at: 0 });
    return { condition, fields: this.#fields };
  }

  #or(): Expression {
    return this.#joined('or', () => this.#and());
  }

  #and(): Expression {
    return this.#joined('and', () => this.#not());
  }

  #joined(word: 'and' | 'or', part: () => Expression): Expression {
    const start = this.#tokens.peek();
    const first = part();
    if (!this.#tokens.isWord(word)) return first;
    const items = [this.#condition(start, first)];
    while (this.#tokens.isWord(word)) {
      this.#tokens.take();
      this.#joinedBefore = true;
      items.push(this.#condition(this.#tokens.peek(), part()));
    }
    return { kind: word, items };
  }

  #not(): Expression {
    if (!this.#tokens.isWord('not')) return this.#lastingCondition();
    this.#tokens.take();
    this.#joinedBefore = true;
    const start = this.#tokens.peek();
    const before = this.#lasting.length;
    const item = this.#condition(
      start,
      this.#deeper(() => this.#not()),
    );
    this.#refuseLasting(before, '"not" before "for": write what holds instead, such as (not x > 3) for 5m.');
    return { kind: 'not', item };
  }

  #lastingCondition(): Expression {
    const start = this.#tokens.peek();
    const before = this.#lasting.length;
    const found = this.#comparison();
    if (!this.#tokens.isNamed('for')) return found;
    const word = this.#tokens.take();
    const item = this.#condition(start, found);
    if (this.#joinedBefore) {
      this.#tokens.fail(
        'Say what lasts so long with brackets: (a > 1 and b > 2) for 5m, or a > 1 and (b > 2 for 5m).',
        word,
      );
    }
    this.#refuseLasting(before, 'A "for" within a "for": one of them is enough.');
    this.#lasting.push(word);
    return { kind: 'for', item, durationMs: this.#duration('after "for"') };
  }

  #refuseLasting(before: number, problem: string): void {
    const [word] = this.#lasting.slice(before);
    if (word) this.#tokens.fail(problem, word);
  }

  #comparison(): Expression {
    const start = this.#tokens.peek();
    const left = this.#sum();
    const op = this.#tokens.takeOneOf(comparisons);
    if (op === undefined) return left;
    const right = this.#term(this.#tokens.peek(), this.#sum());
    if (comparisons.some(next => this.#tokens.isSymbol(next))) {
      this.#tokens.fail('One comparison at a time: write a < b and b < c.');
    }
    return { kind: 'compare', op, left: this.#term(start, left), right };
  }

  #sum(): Expression {
    return this.#operation(['+', '-'], () => this.#product());
  }

  #product(): Expression {
    return this.#operation(['*', '/'], () => this.#unary());
  }

  #operation(ops: readonly Arithmetic[], part: () => Expression): Expression {
    const start = this.#tokens.peek();
    let left = part();
    for (let op = this.#tokens.takeOneOf(ops); op !== undefined; op = this.#tokens.takeOneOf(ops)) {
      const right = this.#term(this.#tokens.peek(), part());
      left = { kind: 'arithmetic', op, left: this.#term(start, left), right };
    }
    return left;
  }

  #unary(): Expression {
    if (!this.#tokens.isSymbol('-')) return this.#primary();
    this.#tokens.take();
    const start = this.#tokens.peek();
    const term = this.#deeper(() => this.#unary());
    return { kind: 'minus', term: this.#term(start, term) };
  }

  #primary(): Expression {
    const token = this.#tokens.take();
    if (token.kind === 'number') return this.#number(token);
    if (token.kind === 'quoted') return this.#field(token);
    if (token.kind === 'name') return this.#tokens.isSymbol('(') ? this.#call(token) : this.#field(token);
    if (token.text === '(' && token.kind === 'symbol') return this.#bracketed();
    if (token.kind === 'duration') {
      const problem = `${token.text} is a duration: it stands after "for", or in a window such as mean(x, 10m).`;
      return this.#tokens.fail(problem, token);
    }
    const found = token.kind === 'end' ? 'the end' : `"${token.text}"`;
    return this.#tokens.fail(`Expected a number, a field or "(", found ${found}.`, token);
  }

  #bracketed(): Expression {
    const joinedBefore = this.#joinedBefore;
    this.#joinedBefore = false;
    const inner = this.#deeper(() => this.#or());
    this.#joinedBefore = joinedBefore;
    this.#close();
    return inner;
  }

  #duration(where: string): number {
    const token = this.#tokens.take();
    const examples = 'such as 500ms, 30s, 10m, 2h or 1d';
    if (token.kind !== 'duration') this.#tokens.fail(`Expected a duration ${where}, ${examples}.`, token);
    const ms = parseDuration(token.text);
    if (ms > 0 && ms <= maxDurationMs) return ms;
    return this.#tokens.fail(`A duration is above 0 and at most ${printDuration(maxDurationMs)}.`, token);
  }

  #number(token: Token): Term {
    const value = Number(token.text);
    return Number.isFinite(value)
      ? { kind: 'number', value }
      : this.#tokens.fail('The number is too large.', token);
  }

  #field(token: Token): Term {
    if (!this.#fields.has(token.text)) this.#fields.set(token.text, token.at);
    return { kind: 'field', name: token.text };
  }

  #call(token: Token): Expression {
    const fail = (problem: string, where: { readonly at: number } = token) =>
      this.#tokens.fail(problem, where);
    checkFunction(token.text, fail);
    const args: Argument[] = [];
    do {
      this.#tokens.take();
      args.push(this.#argument());
    } while (this.#tokens.isSymbol(','));
    this.#close();
    return callOf(token, args, fail);
  }

  #argument(): Argument {
    const start = this.#tokens.peek();
    const { at } = start;
    if (start.kind === 'duration') return { kind: 'duration', ms: this.#duration('here'), at };
    const found = this.#deeper(() => this.#or());
    return { kind: 'term', term: this.#term(start, found), at };
  }

  #close(): void {
    if (!this.#tokens.isSymbol(')')) this.#tokens.fail('Expected ")".', this.#tokens.peek());
    this.#tokens.take();
  }

  #deeper<T>(parse: () => T): T {
    if (++this.#depth > maxDepth)
      this.#tokens.fail(`Nested deeper than ${maxDepth} levels.`, this.#tokens.peek());
    const result = parse();
    this.#depth -= 1;
    return result;
  }

  #condition(start: Token, found: Expression): Condition {
    if (isCondition(found)) return found;
    return this.#tokens.fail('Expected a comparison, found a number: write for example x > 0.', start);
  }

  #term(start: Token, found: Expression): Term {
    if (!isCondition(found)) return found;
    return this.#tokens.fail('Expected a number, found a comparison.', start);
  }
}

function isCondition(found: Expression): found is Condition {
  return conditions.includes(found.kind);
}
