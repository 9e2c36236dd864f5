/** Runs the real `openssl` program, which makes the key files for these tests. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repositoryRoot } from "../support/repository.js";

/** Throw-away keys for tests, recorded with the vectors. */
export const vectorKeys = {
  private2048: join(repositoryRoot, "test/vectors/php-dbsync/test-rsa2048-private.pem"),
  public2048: join(repositoryRoot, "test/vectors/php-dbsync/test-rsa2048-public.pem"),
  private4096: join(repositoryRoot, "test/vectors/php-dbsync/test-rsa4096-private.pem"),
  public4096: join(repositoryRoot, "test/vectors/php-dbsync/test-rsa4096-public.pem"),
} as const;

export const PASSPHRASE = "correct horse";

/**
 * The reason why tests with openssl cannot run here, or false if they can. Older versions and LibreSSL have other
 * options.
 */
export const withoutOpenssl: string | false = outputOf("openssl", ["version"]).startsWith("OpenSSL 3")
  ? false
  : "no openssl 3 on this machine";

export const withoutSshKeygen: string | false =
  spawnSync("ssh-keygen", ["-?"]).error === undefined ? false : "no ssh-keygen on this machine";

/**
 * Runs openssl in `folder`. Spaces separate the arguments; `PASS` becomes `pass:` and the passphrase.
 * @returns its output
 */
export function openssl(folder: string, words: string): string {
  const argv = words.split(" ").map((word) => (word === "PASS" ? `pass:${PASSPHRASE}` : word));
  return execFileSync("openssl", argv, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/** Makes a folder for a test; `using` removes it. */
export function temporaryFolder(): { readonly path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), "dbsync-keys-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

function outputOf(program: string, argv: readonly string[]): string {
  return spawnSync(program, argv, { encoding: "utf8" }).stdout ?? "";
}
