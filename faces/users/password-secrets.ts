/**
 * The keys that SCRAM-SHA-256 needs. They cannot be computed from the stored password hashes, so they are derived when
 * the password itself is available: from `>password` in a file, or at a login. They are kept only in memory. Source:
 * RFC 5802 (SaltedPassword, StoredKey, ServerKey), RFC 4013 (preparation of passwords).
 */
import { createHash, createHmac, pbkdf2 } from "node:crypto";
import type { Environment } from "../../daemon/net/process/clock-and-randomness.js";
import { type ByteString, bytesOf, textOfBytes } from "../../protocol/byte-string.js";

/**
 * The number of iterations of the key derivation, as in MongoDB. Clients receive that number, and perform as many
 * iterations.
 */
export const PASSWORD_ITERATIONS = 15_000;
const SALT_BYTES = 28;
const KEY_BYTES = 32;
/** Maximum number of simultaneous derivations; each uses a thread for a few milliseconds. */
const AT_A_TIME = 2;

/** Characters of RFC 3454, tables C.1.2 and B.1: those that count as a space, and those that are ignored. */
const OTHER_SPACES = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/g;
const NOTHING = /\u00ad|\u034f|\u1806|[\u180b-\u180d]|\u200c|\u200d|\u2060|[\ufe00-\ufe0f]|\ufeff/g;

export interface PasswordSecret {
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

/** The properties of a user by which its secrets are found. */
interface Named {
  readonly name: ByteString;
  /** The SHA-256 of each password. */
  readonly passwords: readonly Buffer[];
}

export class PasswordSecrets {
  /** The seed of all salts. Unknown users receive a salt too, so that clients cannot find out which users exist. */
  readonly #seed: Buffer;
  readonly #made = new Map<string, Promise<PasswordSecret>>();
  #working = 0;
  readonly #waiting: (() => void)[] = [];

  constructor({ randomBytes }: Environment) {
    this.#seed = Buffer.from(randomBytes(KEY_BYTES), "latin1");
  }

  /** Returns a user's salt, which does not change while the daemon runs. Unknown users have a salt too. */
  saltOf(name: ByteString): ByteString {
    const salt = createHmac("sha256", this.#seed).update(name, "latin1").digest();
    return bytesOf(salt, 0, SALT_BYTES);
  }

  /** Derives the secret of a user's password. @param hash  SHA-256 of the password */
  derive(name: ByteString, hash: Buffer, password: ByteString): void {
    const key = keyOf(name, hash);
    if (!this.#made.has(key)) this.#made.set(key, this.#make(name, password));
  }

  /** Returns the secrets of a user's passwords. Waits for derivations that are still running. */
  of({ name, passwords }: Named): Promise<readonly PasswordSecret[]> {
    return Promise.all(passwords.flatMap((hash) => this.#made.get(keyOf(name, hash)) ?? []));
  }

  /** Deletes the secrets of passwords that no user has anymore. */
  retain(users: Iterable<Named>): void {
    const used = new Set(
      [...users].flatMap(({ name, passwords }) => passwords.map((one) => keyOf(name, one))),
    );
    for (const key of this.#made.keys()) if (!used.has(key)) this.#made.delete(key);
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

/** Prepares a password in the same way as clients do, so that equivalent characters become identical. */
function prepared(password: ByteString): string {
  return textOfBytes(password).replace(OTHER_SPACES, " ").replace(NOTHING, "").normalize("NFKC");
}

function saltedOf(password: string, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    pbkdf2(password, salt, PASSWORD_ITERATIONS, KEY_BYTES, "sha256", (problem, key) => {
      if (problem === null) resolve(key);
      else reject(problem);
    });
  });
}
