/**
 * Public keys that units have named, permitted or not. Members verify signatures with them: an entry that one member
 * has accepted must be acceptable to all members, but whether a key is in the ring depends on which entries a member
 * has received so far.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { CommandFailure } from "./arguments/command-errors.js";
import { commandTable } from "./command-table.js";
import { readSpki, spkiOfText } from "./rights/spki.js";

export class NamedPublicKeys {
  readonly #hash: (bytes: ByteString) => ByteString;
  /** The SubjectPublicKeyInfo of each key, by its id. */
  readonly #keys: Map<ByteString, ByteString>;

  constructor(hash: (bytes: ByteString) => ByteString, from: NamedPublicKeys | null = null) {
    this.#hash = hash;
    this.#keys = new Map(from === null ? [] : from.#keys);
  }

  /** Records the keys that a unit would add. */
  addOf(unit: readonly (readonly ByteString[])[]): void {
    for (const argv of unit) {
      const command = commandTable.resolve(argv);
      if (command instanceof CommandFailure || command.publicKeyAt === undefined) continue;
      try {
        this.add(spkiOfText(argv[command.publicKeyAt] as ByteString));
      } catch (failure) {
        if (!(failure instanceof CommandFailure)) throw failure;
      }
    }
  }

  /** @throws CommandFailure if the key cannot be used */
  add(spki: ByteString): void {
    readSpki(spki);
    this.#keys.set(this.#hash(spki), spki);
  }

  /** Returns the SubjectPublicKeyInfo of a key, or undefined if no unit has named the key. */
  find(id: ByteString): ByteString | undefined {
    return this.#keys.get(id);
  }

  /** Returns all named keys. */
  all(): Iterable<ByteString> {
    return this.#keys.values();
  }
}
