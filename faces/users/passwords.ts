/** Changes a user's passwords according to the password rules in a file or in ACL SETUSER. */
import { createHash } from "node:crypto";
import { WrongRule } from "../../daemon/store/rights/acl-rules.js";
import type { ByteString } from "../../protocol/byte-string.js";

const HASH_DIGITS = /^[0-9a-f]{64}$/;

export interface Passwords {
  takesAnyPassword: boolean;
  /** The SHA-256 of each password. */
  passwords: Buffer[];
}

export function hashOf(password: ByteString): Buffer {
  return createHash("sha256").update(password, "latin1").digest();
}

export const wrongRule = (modifier: ByteString, problem: string, mistake: WrongRule["mistake"]) =>
  new WrongRule(problem, modifier, problem, mistake);

/**
 * Applies a password rule: `>password` and `#hash` add a password, `<password` and `!hash` remove one.
 * @param onPassword  called with a password that is added in plain text
 */
export function applyPasswordRule(
  draft: Passwords,
  word: ByteString,
  onPassword: (hash: Buffer, password: ByteString) => void,
): boolean {
  const sign = word[0];
  if (sign !== ">" && sign !== "#" && sign !== "<" && sign !== "!") return false;
  const value = word.slice(1);
  const isHash = sign === "#" || sign === "!";
  if (isHash && !HASH_DIGITS.test(value))
    throw wrongRule(word, `'${sign}...': a hash has 64 hexadecimal digits in lower case`, "hash");
  const hash = isHash ? Buffer.from(value, "hex") : hashOf(value);
  const remaining = draft.passwords.filter((one) => !one.equals(hash));
  if ((sign === "<" || sign === "!") && remaining.length === draft.passwords.length)
    throw wrongRule(word, `'${sign}...': the user has no such password`, "password");
  draft.passwords = remaining;
  if (sign === ">" || sign === "#") {
    draft.passwords.push(hash);
    draft.takesAnyPassword = false;
  }
  if (sign === ">") onPassword(hash, value);
  return true;
}
