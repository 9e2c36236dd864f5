/**
 * The parts of IndexedDB and of Web Locks that the client for web pages uses, in memory. Tests decide when it deletes.
 */

interface FakeRequest {
  result?: unknown;
  onsuccess?: () => void;
  onupgradeneeded?: () => void;
}

interface FakeTransaction {
  error: unknown;
  oncomplete?: () => void;
  onabort?: () => void;
}

export class FakeIndexedDb {
  /** Commits or aborts a deletion. By default, a deletion is committed immediately. */
  onDelete: (commit: () => void, abort: (problem: Error) => void) => void = (commit) => commit();
  readonly #stores = new Map<string, Map<string, unknown>>();

  /** Makes it the IndexedDB of this process until it is disposed of. */
  install(): Disposable {
    const globals = {
      indexedDB: { open: (name: string) => this.#open(name) },
      IDBKeyRange: { bound: (from: string, to: string) => ({ from, to }) },
      navigator: {
        locks: { request: async (_name: string, _options: object, held: () => unknown) => held() },
      },
    };
    const before = Object.keys(globals).map(
      (name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)] as const,
    );
    for (const [name, value] of Object.entries(globals))
      Object.defineProperty(globalThis, name, { value, configurable: true });
    return {
      [Symbol.dispose]() {
        for (const [name, property] of before) {
          Reflect.deleteProperty(globalThis, name);
          if (property !== undefined) Object.defineProperty(globalThis, name, property);
        }
      },
    };
  }

  /** Returns the number of stored envelopes. */
  get envelopes(): number {
    return this.#stores.get("envelopes")?.size ?? 0;
  }

  #open(_name: string): FakeRequest {
    const database = {
      createObjectStore: (name: string) => void this.#stores.set(name, this.#stores.get(name) ?? new Map()),
      transaction: (name: string) => ({ objectStore: () => this.#store(name) }),
      close() {},
    };
    const opening: FakeRequest = { result: database };
    queueMicrotask(() => {
      opening.onupgradeneeded?.();
      opening.onsuccess?.();
    });
    return opening;
  }

  #store(storeName: string) {
    const values = this.#stores.get(storeName) ?? new Map<string, unknown>();
    const transaction: FakeTransaction = { error: null };

    const inRange = ({ from, to }: { from: string; to: string }) =>
      [...values.keys()].filter((name) => name >= from && name <= to);
    const put = (value: unknown, name: string) => {
      refuseSignals(value);
      return request(() => void values.set(name, value));
    };

    return {
      transaction,
      get: (name: string) => request(() => values.get(name)),
      getAll: (range: { from: string; to: string }) =>
        request(() => inRange(range).map((name) => values.get(name))),
      getAllKeys: (range: { from: string; to: string }) => request(() => inRange(range)),
      add: put,
      put,
      delete: (names: string | { from: string; to: string }) => {
        for (const name of typeof names === "string" ? [] : inRange(names)) values.delete(name);
        if (typeof names !== "string") return;

        const commit = () => {
          values.delete(names);
          transaction.oncomplete?.();
        };
        const abort = (problem: Error) => {
          transaction.error = problem;
          transaction.onabort?.();
        };
        queueMicrotask(() => this.onDelete(commit, abort));
      },
    };
  }
}

function request(run: () => unknown): FakeRequest {
  const made: FakeRequest = {};
  queueMicrotask(() => {
    made.result = run();
    made.onsuccess?.();
  });
  return made;
}

/** Throws for AbortSignals, which browsers cannot store. Node's structuredClone copies them as plain objects. */
function refuseSignals(value: unknown): void {
  if (value instanceof AbortSignal) throw new DOMException("AbortSignal cannot be cloned", "DataCloneError");
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return;
  for (const each of Object.values(value)) refuseSignals(each);
}
