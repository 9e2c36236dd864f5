/**
 * The problems that a key file can have, each with a stable code for programs and a sentence for people: the
 * problem, the file, and the fix. A command to run is at the end, after a colon.
 * test/keys/unusable-files.test.ts runs these commands and loads the files that they create.
 */
import { shellWord } from "./shell-word.js";

/** The half of a key pair. */
export type KeyHalf = "private" | "public";

/** The source or target of a key, as named in messages. */
export interface KeyPlace {
  /** A path, or a phrase such as `the key passed as PEM text`. */
  readonly name: string;
  /** The path, or null if the key is not in a file. */
  readonly file: string | null;
  /** The half that is expected there. */
  readonly due: KeyHalf;
}

interface Facts {
  readonly place: string;
  /** The path, quoted for a shell command. */
  readonly file: string;
  readonly due: KeyHalf;
  readonly detail: string;
}

const NEW_PAIR = "make a new pair: dbsync-keygen";

const SENTENCES = {
  "not-found": ({ place }) =>
    `${place} does not exist. Correct the path, or make a pair of keys: dbsync-keygen`,
  "not-readable": ({ place, detail }) =>
    `${place} cannot be read (${detail}). Grant read permission to the user that runs this program.`,
  "is-folder": ({ place, due }) => `${place} is a folder instead of a file. Name the ${due} key file in it.`,
  "too-big": ({ place, detail }) =>
    `${place} is larger than ${detail}, and no key file is that large. Correct the path.`,
  empty: ({ place }) => `${place} is empty. Copy the file again, or ${NEW_PAIR}`,
  "no-pem": ({ place }) =>
    `${place} contains no PEM block, which begins with a line "-----BEGIN …-----". Correct the path.`,
  "other-block": ({ place, detail, due }) =>
    `${place} contains a "${detail}" instead of a ${due} key. Correct the path.`,
  several: ({ place, detail }) =>
    `${place} contains several PEM blocks (${detail}). Put the one to be used into a separate file.`,
  "private-for-public": ({ place, file }) =>
    `${place} contains a private key instead of a public one; the private one must never be here. ` +
    `Extract its public part: openssl pkey -in ${file} -pubout -out public.pem`,
  "public-for-private": ({ place }) =>
    `${place} contains a public key, which cannot sign. Specify the private file of the pair.`,
  certificate: ({ place, file, due }) =>
    due === "private"
      ? `${place} contains a certificate, but no private key. Specify the file of the private key.`
      : `${place} contains a certificate. Extract its key: ` +
        `openssl x509 -in ${file} -pubkey -noout > public.pem`,
  "certificate-request": ({ place, file, due }) =>
    due === "private"
      ? `${place} contains a certificate request, but no private key. Specify the file of the private key.`
      : `${place} contains a certificate request. Extract its public key: ` +
        `openssl req -in ${file} -pubkey -noout > public.pem`,
  "openssh-private": ({ place, file, due }) =>
    due === "private"
      ? `${place} is in OpenSSH's own format. Convert a copy: ` +
        `cp ${file} private.pem && ssh-keygen -p -m PKCS8 -f private.pem`
      : `${place} contains a private key in OpenSSH's own format. Extract its public part: ` +
        `ssh-keygen -e -m PKCS8 -f ${file} > public.pem`,
  "openssh-public": ({ place, file, due }) =>
    due === "private"
      ? `${place} contains an OpenSSH public key, which cannot sign. Specify the private file of the pair.`
      : `${place} is in OpenSSH's own format. Convert it: ssh-keygen -e -m PKCS8 -f ${file} > public.pem`,
  putty: ({ place, file, due }) =>
    due === "private"
      ? `${place} is in PuTTY's own format. Convert it: puttygen ${file} -O private-openssh -o private.pem`
      : `${place} contains a private key in PuTTY's own format. Specify the file of the public key.`,
  der: ({ place, file, due }) =>
    due === "private"
      ? `${place} is in binary form (DER) instead of PEM. Convert it: ` +
        `openssl pkey -inform DER -in ${file} -out private.pem`
      : `${place} is in binary form (DER) instead of PEM. Convert it: ` +
        `openssl pkey -pubin -inform DER -in ${file} -pubout -out public.pem`,
  "passphrase-missing": ({ place, file }) =>
    `${place} is encrypted, and the passphrase is missing. Supply it, or make a copy without one: ` +
    `openssl pkey -in ${file} -out private.pem`,
  "passphrase-wrong": ({ place }) =>
    `${place} cannot be decrypted with this passphrase: the passphrase is wrong, or the file is damaged.`,
  "passphrase-file": ({ place, detail }) =>
    `${place} ${detail}; expected a file with the passphrase on its first line. Correct the path.`,
  "passphrase-empty": ({ place }) =>
    `${place} has an empty first line; expected a passphrase on it. Write one.`,
  "passphrase-too-long": ({ place, detail }) =>
    `${place}: the passphrase is longer than ${detail}. Choose a shorter one.`,
  "old-encryption": ({ place, file }) =>
    `${place} is encrypted with a method that this version of Node.js no longer supports. Encrypt it again: ` +
    `openssl pkey -provider legacy -provider default -in ${file} -aes-256-cbc -out private.pem`,
  damaged: ({ place, detail }) => `${place} is damaged: ${detail}. Copy the file again, or ${NEW_PAIR}`,
  "too-few-bits": ({ place, detail }) => `${place} is an RSA key of ${detail}; ${NEW_PAIR}`,
  exponent: ({ place, detail }) =>
    `${place} is an RSA key with the exponent ${detail} instead of 65537; ${NEW_PAIR}`,
  kind: ({ place, detail }) => `${place} is a key of type ${detail}; ${NEW_PAIR}`,
  "weak-point": ({ place }) =>
    `${place} is an Ed25519 key with which anyone can sign (a point of small order); ${NEW_PAIR}`,
  "no-keys": ({ place }) =>
    `${place} contains no public key (it has no suitable *.pem file). Put public.pem there.`,
  "secret-missing": ({ place, file }) =>
    `${place} does not exist. Copy it from another daemon of the cluster; or, if there is none yet, create it once and ` +
    `copy it to all: dbsync-keygen --cluster-secret ${file}`,
  "secret-damaged": ({ place, detail }) =>
    `${place} ${detail}; expected a cluster's secret: one line of 64 hexadecimal digits. Copy the file again from ` +
    "another daemon of the cluster, or correct the path.",
  "secret-exists": ({ place }) =>
    `${place} already exists, and was not changed: all daemons of a cluster share the same secret. Choose another name, or ` +
    "remove the old one from all daemons.",
  "secret-not-writable": ({ place, detail }) =>
    `${place} cannot be written (${detail}). Free space there, or choose an existing folder that this user may write to.`,
  exists: ({ place }) =>
    `a key already exists, and nothing was written: ${place}. ` +
    "Choose another --name or --out, or replace both keys with --force.",
  "not-writable": ({ place, detail }) =>
    `${place} cannot be written (${detail}). Free space there, or use --out to choose a folder that this user may write to.`,
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
  constructor(code: KeyFileErrorCode, place: KeyPlace, options: { detail?: string; cause?: unknown } = {}) {
    const sentence: (facts: Facts) => string = SENTENCES[code];
    const file = place.file === null ? "FILE" : shellWord(place.file);
    const text = sentence({ place: place.name, file, due: place.due, detail: options.detail ?? "" });
    super(text, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.file = place.file;
  }
}
