import { didYouMean } from '../nearest.js';
import { Cursor } from './cursor.js';
import type { Arithmetic, Comparison, Condition, FunctionName, Term } from './expression.js';
import type { Token } from './tokenize.js';

export interface ParsedRule {
  readonly condition: Condition;
  /** Each field with the place of its first use, in order of use. */
  readonly fields: ReadonlyMap<string, number>;
}

/**
 * Grammar, loosest first: or, and, not, one comparison, + -, * /, unary -, then numbers, fields, calls, brackets.
 * @throws EW_RULE_SYNTAX
 */
export function parseRule(text: string): ParsedRule {
  return new Parser(text).rule();
}

type Expression = Term | Condition;

const comparisons: readonly Comparison[] = ['>', '>=', '<', '<=', '==', '!='];
const functions: Readonly<Record<FunctionName, { readonly least: number; readonly most: number }>> = {
  abs: { least: 1, most: 1 },
  min: { least: 2, most: Number.POSITIVE_INFINITY },
  max: { least: 2, most: Number.POSITIVE_INFINITY },
};
const maxDepth = 32;

class Parser {
  readonly #tokens: Cursor;
  readonly #fields = new Map<string, number>();
  #depth = 0;

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
      items.push(this.#condition(this.#tokens.peek(), part()));
    }
    return { kind: word, items };
  }

  #not(): Expression {
    if (!this.#tokens.isWord('not')) return this.#comparison();
    this.#tokens.take();
    const start = this.#tokens.peek();
    const item = this.#deeper(() => this.#not());
    return { kind: 'not', item: this.#condition(start, item) };
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
    if (token.text === '(' && token.kind === 'symbol') {
      const inner = this.#deeper(() => this.#or());
      this.#close();
      return inner;
    }
    const found = token.kind === 'end' ? 'the end' : `"${token.text}"`;
    return this.#tokens.fail(`Expected a number, a field or "(", found ${found}.`, token);
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

  #call(token: Token): Term {
    const known = Object.keys(functions) as FunctionName[];
    const name = known.find(word => word === token.text);
    if (name === undefined) {
      return this.#tokens.fail(
        `No such function.${didYouMean(token.text, known)} There are ${known.join(', ')}.`,
        token,
      );
    }
    const args: Term[] = [];
    do {
      this.#tokens.take();
      args.push(
        this.#term(
          this.#tokens.peek(),
          this.#deeper(() => this.#or()),
        ),
      );
    } while (this.#tokens.isSymbol(','));
    this.#close();
    const { least, most } = functions[name];
    if (args.length < least) this.#tokens.fail(`${name} needs at least ${least} values.`, token);
    if (args.length > most) this.#tokens.fail(`${name} takes ${most} value.`, token);
    return { kind: 'call', name, args };
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
  return found.kind === 'compare' || found.kind === 'and' || found.kind === 'or' || found.kind === 'not';
}
