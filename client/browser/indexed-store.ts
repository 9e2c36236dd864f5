/** An IndexedDB store with a promise interface. All pages of the same site share it. */

/** The parts of IndexedDB that the store uses. */
interface Request<Result> {
  readonly result: Result;
  readonly error: unknown;
  onsuccess: (() => void) | null;
  onerror: (() => void) | null;
}

interface Store {
  get(name: string): Request<unknown>;
  getAll(names: unknown): Request<unknown[]>;
  getAllKeys(names: unknown): Request<string[]>;
  add(value: unknown, name: string): Request<unknown>;
  put(value: unknown, name: string): Request<unknown>;
  delete(names: unknown): Request<unknown>;
}

interface Database {
  createObjectStore(name: string): unknown;
  transaction(name: string, mode: "readonly" | "readwrite"): { objectStore(name: string): Store };
  close(): void;
}

interface Opening extends Request<Database> {
  onupgradeneeded: (() => void) | null;
}

interface Browser {
  readonly indexedDB: { open(name: string, version: number): Opening };
  readonly IDBKeyRange: { bound(from: string, to: string): unknown };
}

/** A character that sorts after any other. */
const LAST = "\uffff";

export class IndexedStore<Value> {
  readonly #database: Database;
  readonly #name: string;

  private constructor(database: Database, name: string) {
    this.#database = database;
    this.#name = name;
  }

  static async open<Value>(database: string, name: string): Promise<IndexedStore<Value>> {
    const opening = (globalThis as unknown as Browser).indexedDB.open(database, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(name);
    return new IndexedStore<Value>(await resultOf(opening), name);
  }

  async get(name: string): Promise<Value | undefined> {
    return (await resultOf(this.#store("readonly").get(name))) as Value | undefined;
  }

  /** Stores a value under a new name. Rejects if the name exists. */
  async add(name: string, value: Value): Promise<void> {
    await resultOf(this.#store("readwrite").add(value, name));
  }

  /** Stores a value, and replaces an earlier one with that name. */
  async put(name: string, value: Value): Promise<void> {
    await resultOf(this.#store("readwrite").put(value, name));
  }

  async delete(name: string): Promise<void> {
    await resultOf(this.#store("readwrite").delete(name));
  }

  /** Returns all names that begin with a prefix. */
  names(prefix: string): Promise<string[]> {
    return resultOf(this.#store("readonly").getAllKeys(namesFrom(prefix)));
  }

  /** Renames all values whose names begin with a prefix, in one transaction. @returns the values by their new names */
  async rename(prefix: string, newName: () => string): Promise<Map<string, Value>> {
    const names = namesFrom(prefix);
    const store = this.#store("readwrite");
    const found = new Map<string, Value>();
    for (const value of await resultOf(store.getAll(names))) found.set(newName(), value as Value);
    store.delete(names);
    for (const [name, value] of found) await resultOf(store.put(value, name));
    return found;
  }

  close(): void {
    this.#database.close();
  }

  #store(mode: "readonly" | "readwrite"): Store {
    return this.#database.transaction(this.#name, mode).objectStore(this.#name);
  }
}

const namesFrom = (prefix: string): unknown =>
  (globalThis as unknown as Browser).IDBKeyRange.bound(prefix, prefix + LAST);

function resultOf<Result>(request: Request<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
