import { syntaxError, type Token, tokenize } from './tokenize.js';

/** Walks through a rule's tokens, and knows how to complain about one. */
export class Cursor {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  #next = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokenize(text);
  }

  peek(): Token {
    return this.#tokens[this.#next] ?? { kind: 'end', text: '', at: this.#text.length };
  }

  take(): Token {
    const token = this.peek();
    this.#next += 1;
    return token;
  }

  isWord(word: string): boolean {
    const token = this.peek();
    return token.kind === 'word' && token.text === word;
  }

  /** A word that is a name everywhere else. */
  isNamed(name: string): boolean {
    const token = this.peek();
    return token.kind === 'name' && token.text.toLowerCase() === name;
  }

  isSymbol(symbol: string): boolean {
    const token = this.peek();
    return token.kind === 'symbol' && token.text === symbol;
  }

  /** Takes the symbol if it is next. */
  takeOneOf<Symbol extends string>(symbols: readonly Symbol[]): Symbol | undefined {
    const found = symbols.find(symbol => this.isSymbol(symbol));
    if (found !== undefined) this.#next += 1;
    return found;
  }

  fail(problem: string, where: { readonly at: number } = this.peek()): never {
    throw syntaxError(problem, this.#text, where.at);
  }
}
