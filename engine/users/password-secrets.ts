/**
 * What SCRAM-SHA-256 needs of passwords, which their hashes do not give away: it is made wherever a password itself is seen, as in
 * `>password` of a file, and when somebody logs in with it. In memory only.
 * Source: RFC 5802 (SaltedPassword, StoredKey, ServerKey), RFC 4013 (how passwords are prepared).
 */
import { createHash, createHmac, pbkdf2 } from "node:crypto";
import type { Environment } from "../../net/process/environment.js";
import { type ByteString, bytesOf, textOfBytes } from "../../protocol/byte-string.js";

/** MongoDB's. A client is told it, and works as long. */
export const PASSWORD_ITERATIONS = 15_000;
const SALT_BYTES = 28;
const KEY_BYTES = 32;
/** Passwords whose secrets are made at a time: each takes a thread for some milliseconds. */
const AT_A_TIME = 2;

/** RFC 3454, tables C.1.2 and B.1: blanks that are written otherwise, and what means nothing. */
const OTHER_BLANKS = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/g;
const NOTHING = /\u00ad|\u034f|\u1806|[\u180b-\u180d]|\u200c|\u200d|\u2060|[\ufe00-\ufe0f]|\ufeff/g;

export interface PasswordSecret {
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

/** A user, as far as it is needed to find what is kept for him. */
interface Named {
  readonly name: ByteString;
  /** SHA-256 each. */
  readonly passwords: readonly Buffer[];
}

export class PasswordSecrets {
  /** Salts are made of it, so that one is there for whoever asks. */
  readonly #seed: Buffer;
  readonly #made = new Map<string, Promise<PasswordSecret>>();
  #working = 0;
  readonly #waiting: (() => void)[] = [];

  constructor({ randomBytes }: Environment) {
    this.#seed = Buffer.from(randomBytes(KEY_BYTES), "latin1");
  }

  /** The same for as long as the daemon runs, of users who are not there too. */
  saltOf(name: ByteString): ByteString {
    const salt = createHmac("sha256", this.#seed).update(name, "latin1").digest();
    return bytesOf(salt, 0, SALT_BYTES);
  }

  /** Takes notice of a user's password. @param hash  its SHA-256 */
  keep(name: ByteString, hash: Buffer, password: ByteString): void {
    const key = keyOf(name, hash);
    if (!this.#made.has(key)) this.#made.set(key, this.#make(name, password));
  }

  /** What is known of a user's passwords; resolves once it is made. */
  of({ name, passwords }: Named): Promise<readonly PasswordSecret[]> {
    return Promise.all(passwords.flatMap((hash) => this.#made.get(keyOf(name, hash)) ?? []));
  }

  /** Forgets passwords that nobody has any more. */
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

/** As clients do it with what their users type: characters that look alike are alike. */
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
