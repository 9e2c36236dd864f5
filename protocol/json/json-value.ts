/**
 * Values of JSON texts, with details that JavaScript's objects lose: the original text of numbers, the order of members
 * (`10` before `9`), and arbitrary names (`__proto__`). Source: RFC 8259; docs/json-documents.md.
 */

/** A number with its original text. */
export class JsonNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** The minimum number of members for which a table is used to find a member. */
const TABLE_MEMBERS_MIN = 12;

/** An object that is known to be well-formed and has not been parsed yet. */
export interface UnreadObject {
  /** The text of the object as `writeJson` would write it. */
  readonly text: string;
  read(text: string): JsonValue;
}

/** An object. Its members are in the order in which their names first occurred. */
export class JsonObject {
  #names: string[] = [];
  #values: JsonValue[] = [];
  #indexes: Map<string, number> | null = null;
  #unread: UnreadObject | null;

  constructor(unread: UnreadObject | null = null) {
    this.#unread = unread;
  }

  /** The text as `writeJson` would write it, or null if the object was parsed and must be written. */
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
    const index = this.#find(name);
    return index < 0 ? undefined : this.#values[index];
  }

  /** Sets the value of a member. An existing member keeps its position. */
  set(name: string, value: JsonValue): void {
    if (this.#unread !== null) this.#read(this.#unread);
    const index = this.#find(name);
    if (index >= 0) {
      this.#values[index] = value;
      return;
    }
    this.#indexes?.set(name, this.#names.length);
    this.#names.push(name);
    this.#values.push(value);
    if (this.#indexes === null && this.#names.length >= TABLE_MEMBERS_MIN)
      this.#indexes = new Map(this.#names.map((one, at) => [one, at]));
  }

  #read({ text, read }: UnreadObject): void {
    this.#unread = null;
    const value = read(text) as JsonObject;
    this.#names = value.#names;
    this.#values = value.#values;
    this.#indexes = value.#indexes;
  }

  #find(name: string): number {
    return this.#indexes === null ? this.#names.indexOf(name) : (this.#indexes.get(name) ?? -1);
  }
}

export type JsonContainer = readonly JsonValue[] | JsonObject;
export type JsonValue = null | boolean | string | JsonNumber | JsonContainer;

/** Whether a value has members. The names of a list's members are their indexes. */
export function isContainer(value: JsonValue | undefined): value is JsonContainer {
  return value instanceof JsonObject || Array.isArray(value);
}

export function memberNames(container: JsonContainer): readonly string[] {
  return container instanceof JsonObject ? container.names : container.map((_, index) => String(index));
}

export function memberValues(container: JsonContainer): readonly JsonValue[] {
  return container instanceof JsonObject ? container.values : container;
}

export function memberOf(container: JsonContainer, name: string): JsonValue | undefined {
  if (container instanceof JsonObject) return container.get(name);
  const index = /^(?:0|[1-9]\d{0,9})$/.test(name) ? Number(name) : -1;
  return container[index];
}

/** Whether the members are named 0, 1, 2 and so on. PHP writes such an object as a list, including an empty one. */
export function isListLike(names: readonly string[]): boolean {
  return names.every((name, index) => name === String(index));
}
