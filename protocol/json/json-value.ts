/**
 * Values of JSON texts, with the details that JavaScript's own objects lose: numbers as they were written, the order of members, and names
 * that are only names (`__proto__`, `10` before `9`). Source: RFC 8259; docs/json-documents.md.
 */

/** A number as it was written. */
export class JsonNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Minimum number of members that are found by a table. */
const TABLE_MEMBERS_MIN = 12;

/** An object that is known to be well-formed and has not been parsed yet. */
export interface UnreadObject {
  /** The number as `writeJson` would write it. */
  readonly text: string;
  read(text: string): JsonValue;
}

/** Members in the order in which their names came first. */
export class JsonObject {
  #names: string[] = [];
  #values: JsonValue[] = [];
  #places: Map<string, number> | null = null;
  #unread: UnreadObject | null;

  constructor(unread: UnreadObject | null = null) {
    this.#unread = unread;
  }

  /** The text as `writeJson` would write it, if it was not parsed; null: it has to be written. */
  get text(): string | null {
    return this.#unread === null ? null : this.#unread.text;
  }

  get names(): readonly string[] {
    if (this.#unread !== null) this.#read(this.#unread);
    return this.#names;
  }

  get values(): readonly JsonValue[] {
    if (this.#unread !== null) this.#read(this.#unread);
    return this.#values;
  }

  get(name: string): JsonValue | undefined {
    if (this.#unread !== null) this.#read(this.#unread);
    const place = this.#find(name);
    return place < 0 ? undefined : this.#values[place];
  }

  /** Sets the value of a member; an existing one keeps its position. */
  set(name: string, value: JsonValue): void {
    if (this.#unread !== null) this.#read(this.#unread);
    const place = this.#find(name);
    if (place >= 0) {
      this.#values[place] = value;
      return;
    }
    this.#places?.set(name, this.#names.length);
    this.#names.push(name);
    this.#values.push(value);
    if (this.#places === null && this.#names.length >= TABLE_MEMBERS_MIN)
      this.#places = new Map(this.#names.map((one, at) => [one, at]));
  }

  #read({ text, read }: UnreadObject): void {
    this.#unread = null;
    const value = read(text) as JsonObject;
    this.#names = value.#names;
    this.#values = value.#values;
    this.#places = value.#places;
  }

  #find(name: string): number {
    return this.#places === null ? this.#names.indexOf(name) : (this.#places.get(name) ?? -1);
  }
}

export type JsonContainer = readonly JsonValue[] | JsonObject;
export type JsonValue = null | boolean | string | JsonNumber | JsonContainer;

/** Whether a value has members; those of a list are named by their indexes. */
export function isContainer(value: JsonValue | undefined): value is JsonContainer {
  return value instanceof JsonObject || Array.isArray(value);
}

export function memberNames(container: JsonContainer): readonly string[] {
  return container instanceof JsonObject ? container.names : container.map((_, place) => String(place));
}

export function memberValues(container: JsonContainer): readonly JsonValue[] {
  return container instanceof JsonObject ? container.values : container;
}

export function memberOf(container: JsonContainer, name: string): JsonValue | undefined {
  if (container instanceof JsonObject) return container.get(name);
  const place = /^(?:0|[1-9]\d{0,9})$/.test(name) ? Number(name) : -1;
  return container[place];
}

/** Whether the members are named 0, 1, 2, …, as a list's: what PHP writes as one, an empty object too. */
export function isListLike(names: readonly string[]): boolean {
  return names.every((name, place) => name === String(place));
}
