/** A store of IndexedDB, by promises: what is put there is found again by pages of the same site. */

/** What is used of IndexedDB. */
interface Request<Result> {
  readonly result: Result;
  readonly error: unknown;
  onsuccess: (() => void) | null;
  onerror: (() => void) | null;
}

interface Store {
  get(name: string): Request<unknown>;
  add(value: unknown, name: string): Request<unknown>;
}

interface Database {
  createObjectStore(name: string): unknown;
  transaction(name: string, mode: "readonly" | "readwrite"): { objectStore(name: string): Store };
  close(): void;
}

interface Opening extends Request<Database> {
  onupgradeneeded: (() => void) | null;
}

export class KeyStore<Value> {
  readonly #database: Database;
  readonly #name: string;

  private constructor(database: Database, name: string) {
    this.#database = database;
    this.#name = name;
  }

  static async open<Value>(database: string, name: string): Promise<KeyStore<Value>> {
    const { indexedDB } = globalThis as unknown as {
      indexedDB: { open(name: string, version: number): Opening };
    };
    const opening = indexedDB.open(database, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(name);
    return new KeyStore<Value>(await resultOf(opening), name);
  }

  async get(name: string): Promise<Value | undefined> {
    return (await resultOf(this.#store("readonly").get(name))) as Value | undefined;
  }

  /** Rejects where there is one of that name. */
  async add(name: string, value: Value): Promise<void> {
    await resultOf(this.#store("readwrite").add(value, name));
  }

  close(): void {
    this.#database.close();
  }

  #store(mode: "readonly" | "readwrite"): Store {
    return this.#database.transaction(this.#name, mode).objectStore(this.#name);
  }
}

function resultOf<Result>(request: Request<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
