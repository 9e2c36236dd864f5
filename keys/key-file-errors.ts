/**
 * The problems that a key file can have, each with a stable code for programs and a sentence for people: the
 * problem, the file, and the fix. A command to run is at the end, after a colon.
 * test/keys/key-file.unusable.test.ts runs these commands and loads the files that they create.
 */

/** The half of a key pair. */
export type KeyHalf = "private" | "public";

/** The source or target of a key, as named in messages. */
export interface KeyOrigin {
  /** A path, or a phrase such as `the key passed as PEM text`. */
  readonly name: string;
  /** The path, or null if the key is not in a file. */
  readonly file: string | null;
  /** The half that is expected there. */
  readonly due: KeyHalf;
}

interface Facts {
  readonly origin: string;
  /** The path, quoted for a shell command. */
  readonly file: string;
  readonly due: KeyHalf;
  readonly detail: string;
}

const NEW_PAIR = "make a new pair: dbsync-keygen";

const SENTENCES = {
  "not-found": ({ origin }) =>
    `${origin} does not exist. Correct the path, or make a pair of keys: dbsync-keygen`,
  "not-readable": ({ origin, detail }) =>
    `${origin} cannot be read (${detail}). Grant read permission to the user that runs this program.`,
  "is-folder": ({ origin, due }) =>
    `${origin} is a folder instead of a file. Specify the ${due} key file in it.`,
  "too-big": ({ origin, detail }) =>
    `${origin} is larger than ${detail}, and no key file is that large. Correct the path.`,
  empty: ({ origin }) => `${origin} is empty. Copy the file again, or ${NEW_PAIR}`,
  "no-pem": ({ origin }) =>
    `${origin} contains no PEM block, which begins with a line "-----BEGIN …-----". Correct the path.`,
  "other-block": ({ origin, detail, due }) =>
    `${origin} contains a "${detail}" instead of a ${due} key. Correct the path.`,
  "escaped-lines": ({ origin }) =>
    `${origin} contains the two characters \\n instead of line breaks, as in an .env file. Replace them with line breaks.`,
  "one-line": ({ origin }) =>
    `${origin} contains a PEM block without line breaks. Put -----BEGIN …----- and -----END …----- on lines of their own.`,
  several: ({ origin, detail }) =>
    `${origin} contains several PEM blocks (${detail}). Put the one to be used into a separate file.`,
  "private-for-public": ({ origin, file }) =>
    `${origin} contains a private key instead of a public one; the private one must never be here. ` +
    `Extract its public part: openssl pkey -in ${file} -pubout -out public.pem`,
  "public-for-private": ({ origin }) =>
    `${origin} contains a public key, which cannot sign. Specify the private file of the pair.`,
  certificate: ({ origin, file, due }) =>
    due === "private"
      ? `${origin} contains a certificate, but no private key. Specify the file of the private key.`
      : `${origin} contains a certificate. Extract its key: ` +
        `openssl x509 -in ${file} -pubkey -noout > public.pem`,
  "certificate-request": ({ origin, file, due }) =>
    due === "private"
      ? `${origin} contains a certificate request, but no private key. Specify the file of the private key.`
      : `${origin} contains a certificate request. Extract its public key: ` +
        `openssl req -in ${file} -pubkey -noout > public.pem`,
  "openssh-private": ({ origin, file, due }) =>
    due === "private"
      ? `${origin} is in OpenSSH's own format. Convert a copy: ` +
        `cp ${file} private.pem && ssh-keygen -p -m PKCS8 -f private.pem`
      : `${origin} contains a private key in OpenSSH's own format. Extract its public part: ` +
        `ssh-keygen -e -m PKCS8 -f ${file} > public.pem`,
  "openssh-public": ({ origin, file, due }) =>
    due === "private"
      ? `${origin} contains an OpenSSH public key, which cannot sign. Specify the private file of the pair.`
      : `${origin} is in OpenSSH's own format. Convert it: ssh-keygen -e -m PKCS8 -f ${file} > public.pem`,
  putty: ({ origin, file, due }) =>
    due === "private"
      ? `${origin} is in PuTTY's own format. Convert it: puttygen ${file} -O private-openssh -o private.pem`
      : `${origin} contains a private key in PuTTY's own format. Specify the file of the public key.`,
  der: ({ origin, file, due }) =>
    due === "private"
      ? `${origin} is in binary form (DER) instead of PEM. Convert it: ` +
        `openssl pkey -inform DER -in ${file} -out private.pem`
      : `${origin} is in binary form (DER) instead of PEM. Convert it: ` +
        `openssl pkey -pubin -inform DER -in ${file} -pubout -out public.pem`,
  "passphrase-missing": ({ origin, file }) =>
    `${origin} is encrypted, and the passphrase is missing. Supply it, or make a copy without one: ` +
    `openssl pkey -in ${file} -out private.pem`,
  "passphrase-wrong": ({ origin }) =>
    `${origin} cannot be decrypted with this passphrase: the passphrase is wrong, or the file is damaged.`,
  "passphrase-file": ({ origin, detail }) =>
    `${origin} ${detail}; expected a file with the passphrase on its first line. Correct the path.`,
  "passphrase-empty": ({ origin }) =>
    `${origin} has an empty first line; expected a passphrase on it. Write one.`,
  "passphrase-too-long": ({ origin, detail }) =>
    `${origin}: the passphrase is longer than ${detail}. Choose a shorter one.`,
  "old-encryption": ({ origin, file }) =>
    `${origin} is encrypted with a method that this program does not support. Encrypt it again: ` +
    `openssl pkey -provider legacy -provider default -in ${file} -aes-256-cbc -out private.pem`,
  damaged: ({ origin, detail }) => `${origin} is damaged: ${detail}. Copy the file again, or ${NEW_PAIR}`,
  "too-few-bits": ({ origin, detail }) => `${origin} is an RSA key of ${detail}; ${NEW_PAIR}`,
  exponent: ({ origin, detail }) =>
    `${origin} is an RSA key with the exponent ${detail} instead of 65537; ${NEW_PAIR}`,
  kind: ({ origin, detail }) => `${origin} is a key of type ${detail}; ${NEW_PAIR}`,
  "weak-point": ({ origin }) =>
    `${origin} is an Ed25519 key with which anyone can sign (a point of small order); ${NEW_PAIR}`,
  "no-keys": ({ origin }) =>
    `${origin} contains no public key (it has no suitable *.pem file). Put public.pem there.`,
  "secret-missing": ({ origin, file }) =>
    `${origin} does not exist. Copy it from another daemon of the cluster; or, if there is none yet, create it once and ` +
    `copy it to all: dbsync-keygen --cluster-secret ${file}`,
  "secret-damaged": ({ origin, detail }) =>
    `${origin} ${detail}; expected a cluster's secret: one line of 64 hexadecimal digits. Copy the file again from ` +
    "another daemon of the cluster, or correct the path.",
  "secret-exists": ({ origin }) =>
    `${origin} already exists, and was not changed: all daemons of a cluster share the same secret. Choose another name, or ` +
    "remove the old one from all daemons.",
  "secret-not-writable": ({ origin, detail }) =>
    `${origin} cannot be written (${detail}). Free space there, or choose an existing folder that this user may write to.`,
  exists: ({ origin }) =>
    `a key already exists, and nothing was written: ${origin}. ` +
    "Choose another --name or --out, or replace both keys with --force.",
  "not-writable": ({ origin, detail }) =>
    `${origin} cannot be written (${detail}). Free space there, or use --out to choose a folder that this user may write to.`,
} as const satisfies Record<string, (facts: Facts) => string>;

export type KeyFileErrorCode = keyof typeof SENTENCES;

/**
 * The error about a key file that cannot be used or created. `message` names the file and the fix; it contains no key
 * material.
 */
export class KeyFileError extends Error {
  override readonly name = "KeyFileError";
  readonly code: KeyFileErrorCode;
  /** The path, or null if the key was not in a file. */
  readonly file: string | null;

  /** Creates the error. @param options  `detail` completes the sentence of `code`; `cause` is the original error */
  constructor(code: KeyFileErrorCode, origin: KeyOrigin, options: { detail?: string; cause?: unknown } = {}) {
    const sentence: (facts: Facts) => string = SENTENCES[code];
    const file = origin.file === null ? "FILE" : shellWord(origin.file);
    const text = sentence({ origin: origin.name, file, due: origin.due, detail: options.detail ?? "" });
    super(text, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.file = origin.file;
  }
}

/**
 * Quotes a path for the shell commands in messages: `keys/a.pem` is unchanged, `my key.pem` in quotes, `-a.pem` as
 * `./-a.pem`.
 */
export function shellWord(path: string): string {
  const word = path.startsWith("-") ? `./${path}` : path;
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
