/** An IndexedDB store with a promise interface. All pages of the same site share it. */

/** The parts of IndexedDB that the store uses. */
interface Request<Result> {
  readonly result: Result;
  readonly error: unknown;
  onsuccess: (() => void) | null;
  onerror: (() => void) | null;
}

interface Transaction {
  readonly error: unknown;
  oncomplete: (() => void) | null;
  onabort: (() => void) | null;
}

interface Store {
  readonly transaction: Transaction;
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

/** The number of the databases: which object stores they have. Each value has the number of its own format. */
const VERSION = 1;

/** A character that sorts after any other. */
const LAST = "\uffff";

export class IndexedStore<Value> {
  readonly #database: Database;
  readonly #name: string;

  private constructor(database: Database, name: string) {
    this.#database = database;
    this.#name = name;
  }

  /** Opens a database, or creates it. Rejects, and changes nothing, if the database has a higher number. */
  static async open<Value>(database: string, name: string): Promise<IndexedStore<Value>> {
    const opening = (globalThis as unknown as Browser).indexedDB.open(database, VERSION);
    opening.onupgradeneeded = () => opening.result.createObjectStore(name);
    const opened = await resultOf(opening).catch((problem) => {
      if ((problem as Error).name !== "VersionError") throw problem;
      throw new Error(
        `${database} has a higher number than ${VERSION}, and was not changed: load the newer page`,
      );
    });
    return new IndexedStore<Value>(opened, name);
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

  /** Deletes a value. The promise resolves when the value cannot be found again, even if the page ends then. */
  async delete(name: string): Promise<void> {
    const store = this.#store("readwrite");
    store.delete(name);
    await committed(store.transaction);
  }

  /** Returns all names that begin with a prefix. */
  names(prefix: string): Promise<string[]> {
    return resultOf(this.#store("readonly").getAllKeys(namesFrom(prefix)));
  }

  /**
   * Renames the values whose names begin with a prefix, in one transaction.
   * @param isReadable  whether a value may be renamed; any other remains unchanged
   * @returns the values by their new names
   */
  async rename(
    prefix: string,
    isReadable: (value: Value) => boolean,
    newName: () => string,
  ): Promise<Map<string, Value>> {
    const range = namesFrom(prefix);
    const store = this.#store("readwrite");
    const found = new Map<string, Value>();
    const [names, values] = await Promise.all([
      resultOf(store.getAllKeys(range)),
      resultOf(store.getAll(range)) as Promise<Value[]>,
    ]);

    for (const [index, value] of values.entries())
      if (isReadable(value)) {
        store.delete(names[index]);
        found.set(newName(), value);
      }
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

function committed(transaction: Transaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
}
