/** Quotes a path for the shell commands in messages. */

/** Returns `keys/a.pem` unchanged, `my key.pem` in quotes, `-a.pem` as `./-a.pem`. */
export function shellWord(path: string): string {
  const word = path.startsWith("-") ? `./${path}` : path;
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
