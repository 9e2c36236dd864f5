/**
 * Keys that SCRAM-SHA-256 needs and that do not follow from password hashes: they are derived when a password itself is
 * available, as in `>password` of a file or at a login with it. In memory only.
 * Source: RFC 5802 (SaltedPassword, StoredKey, ServerKey), RFC 4013 (how passwords are prepared).
 */
import { createHash, createHmac, pbkdf2 } from "node:crypto";
import type { Environment } from "../../net/process/environment.js";
import { type ByteString, bytesOf, textOfBytes } from "../../protocol/byte-string.js";

/** Iterations of the key derivation: MongoDB's number. A client receives it, and does the same work. */
export const PASSWORD_ITERATIONS = 15_000;
const SALT_BYTES = 28;
const KEY_BYTES = 32;
/** Maximum derivations at a time: each uses a thread for some milliseconds. */
const AT_A_TIME = 2;

/** RFC 3454, tables C.1.2 and B.1: characters that count as a space, and characters that are ignored. */
const OTHER_BLANKS = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/g;
const NOTHING = /\u00ad|\u034f|\u1806|[\u180b-\u180d]|\u200c|\u200d|\u2060|[\ufe00-\ufe0f]|\ufeff/g;

export interface PasswordSecret {
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

/** A user, as far as it identifies its secrets. */
interface Named {
  readonly name: ByteString;
  /** The SHA-256 of each password. */
  readonly passwords: readonly Buffer[];
}

export class PasswordSecrets {
  /** The seed of all salts, so that unknown users have one too. */
  readonly #seed: Buffer;
  readonly #made = new Map<string, Promise<PasswordSecret>>();
  #working = 0;
  readonly #waiting: (() => void)[] = [];

  constructor({ randomBytes }: Environment) {
    this.#seed = Buffer.from(randomBytes(KEY_BYTES), "latin1");
  }

  /** Returns a user's salt: the same for as long as the daemon runs, for unknown users too. */
  saltOf(name: ByteString): ByteString {
    const salt = createHmac("sha256", this.#seed).update(name, "latin1").digest();
    return bytesOf(salt, 0, SALT_BYTES);
  }

  /** Derives the secret of a user's password. @param hash  its SHA-256 */
  keep(name: ByteString, hash: Buffer, password: ByteString): void {
    const key = keyOf(name, hash);
    if (!this.#made.has(key)) this.#made.set(key, this.#make(name, password));
  }

  /** Returns the secrets of a user's passwords; resolves once they are derived. */
  of({ name, passwords }: Named): Promise<readonly PasswordSecret[]> {
    return Promise.all(passwords.flatMap((hash) => this.#made.get(keyOf(name, hash)) ?? []));
  }

  /** Deletes the secrets of passwords that no user has any longer. */
  retain(users: Iterable<Named>): void {
    const kept = new Set(
      [...users].flatMap(({ name, passwords }) => passwords.map((one) => keyOf(name, one))),
    );
    for (const key of this.#made.keys()) if (!kept.has(key)) this.#made.delete(key);
  }

  async #make(name: ByteString, password: ByteString): Promise<PasswordSecret> {
    if (this.#working >= AT_A_TIME) await new Promise<void>((go) => this.#waiting.push(go));
    else this.#working++;
    try {
      const salted = await saltedOf(prepared(password), Buffer.from(this.saltOf(name), "latin1"));
      const keyed = (text: string) => createHmac("sha256", salted).update(text).digest();
      const storedKey = createHash("sha256").update(keyed("Client Key")).digest();
      return { storedKey, serverKey: keyed("Server Key") };
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#working--;
      else next();
    }
  }
}

const keyOf = (name: ByteString, hash: Buffer) => `${hash.toString("hex")} ${name}`;

/** Prepares a password as clients do with typed ones: characters that look alike become the same. */
function prepared(password: ByteString): string {
  return textOfBytes(password).replace(OTHER_BLANKS, " ").replace(NOTHING, "").normalize("NFKC");
}

function saltedOf(password: string, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    pbkdf2(password, salt, PASSWORD_ITERATIONS, KEY_BYTES, "sha256", (problem, key) => {
      if (problem === null) resolve(key);
      else reject(problem);
    });
  });
}
