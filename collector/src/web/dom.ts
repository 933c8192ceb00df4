/** Small helpers over the DOM. Data becomes text nodes only: there is no way to pass HTML. */

export type Child = Node | string | null | undefined | false;
export type Attributes = Readonly<Record<string, string | boolean | undefined>>;

export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) setAttribute(node, name, value);
  for (const child of children) if (child) node.append(child);
  return node;
}

/** Writes only what differs, so that selections, focus and screen readers stay undisturbed. */
export function setText(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node: Element, name: string, value: string | boolean | undefined): void {
  if (value === undefined || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value === true ? '' : value)) {
    node.setAttribute(name, value === true ? '' : value);
  }
}

/** An element of index.html. */
export function byId<Type extends HTMLElement>(id: string, type: new () => Type): Type {
  const node = document.getElementById(id);
  if (!(node instanceof type)) throw new TypeError(`index.html has no ${type.name} #${id}`);
  return node;
}

/** A piece of the page that follows an item. */
export interface Part<Item> {
  readonly node: HTMLElement;
  update(item: Item): void;
}

/** Children that follow a list: created, moved, updated and removed by key. */
export class KeyedList<Item> {
  readonly #parts = new Map<string, Part<Item>>();

  constructor(
    readonly parent: HTMLElement,
    private readonly keyOf: (item: Item) => string,
    private readonly create: (item: Item) => Part<Item>,
  ) {}

  set(items: readonly Item[]): void {
    const keys = new Set(items.map(this.keyOf));
    for (const [key, part] of this.#parts) if (!keys.has(key)) this.#remove(key, part);
    for (const [i, item] of items.entries()) this.#place(item, i);
  }

  #place(item: Item, i: number): void {
    const key = this.keyOf(item);
    const part = this.#parts.get(key) ?? this.create(item);
    this.#parts.set(key, part);
    part.update(item);
    const there = this.parent.children[i];
    if (there !== part.node) this.parent.insertBefore(part.node, there ?? null);
  }

  #remove(key: string, part: Part<Item>): void {
    this.#parts.delete(key);
    part.node.remove();
  }
}

/** A heading that takes the focus when its view opens. */
export function heading(text: string): HTMLHeadingElement {
  return h('h1', { tabindex: '-1' }, text);
}

/** What to show, and what to do, when there is nothing. */
export function empty(title: string, ...what: readonly Child[]): HTMLElement {
  return h('div', { class: 'empty' }, h('p', { class: 'empty-title' }, title), h('p', {}, ...what));
}
