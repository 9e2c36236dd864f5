/** A path as one word of a shell command, for the commands that messages tell people to run. */

/** `keys/a.pem` as it is, `my key.pem` in quotes, `-a.pem` as `./-a.pem`. */
export function shellWord(path: string): string {
  const word = path.startsWith("-") ? `./${path}` : path;
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
