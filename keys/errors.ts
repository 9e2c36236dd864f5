/**
 * The problems that a key file can have, each with a stable code for programs and a sentence for people: the
 * problem, the file, and the fix. A command to run comes last, after a colon.
 * test/keys/unusable-files.test.ts runs these commands and loads the files that they make.
 */
import { shellWord } from "./shell-word.js";

/** The half of a key pair. */
export type KeyHalf = "private" | "public";

/** The source or target of a key, as named in messages. */
export interface KeyPlace {
  /** A path, or a phrase such as `the key given as PEM text`. */
  readonly name: string;
  /** The path; null: the key is not in a file. */
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
    `${place} cannot be read (${detail}). Give the user that runs this program the right to read it.`,
  "is-folder": ({ place, due }) => `${place} is a folder instead of a file. Name the ${due} key file in it.`,
  "too-big": ({ place, detail }) => `${place} is over ${detail}, which no key file is. Correct the path.`,
  empty: ({ place }) => `${place} is empty. Copy the file again, or ${NEW_PAIR}`,
  "no-pem": ({ place }) =>
    `${place} holds no PEM block, which is a line "-----BEGIN …-----" and what follows. Correct the path.`,
  "other-block": ({ place, detail, due }) =>
    `${place} holds a "${detail}" instead of a ${due} key. Correct the path.`,
  several: ({ place, detail }) =>
    `${place} holds several PEM blocks (${detail}). Put the one to be used into a file of its own.`,
  "private-for-public": ({ place, file }) =>
    `${place} holds a private key instead of a public one; the private one must never be here. ` +
    `Take out its public part: openssl pkey -in ${file} -pubout -out public.pem`,
  "public-for-private": ({ place }) =>
    `${place} holds a public key, which cannot sign. Name the private file of the pair.`,
  certificate: ({ place, file, due }) =>
    due === "private"
      ? `${place} holds a certificate, which has no private key in it. Name the private key's file.`
      : `${place} holds a certificate. Take out its key: ` +
        `openssl x509 -in ${file} -pubkey -noout > public.pem`,
  "certificate-request": ({ place, file, due }) =>
    due === "private"
      ? `${place} holds a certificate request, which has no private key in it. Name the private key's file.`
      : `${place} holds a certificate request. Take out its public key: ` +
        `openssl req -in ${file} -pubkey -noout > public.pem`,
  "openssh-private": ({ place, file, due }) =>
    due === "private"
      ? `${place} is in OpenSSH's own format. Convert a copy: ` +
        `cp ${file} private.pem && ssh-keygen -p -m PKCS8 -f private.pem`
      : `${place} holds a private key in OpenSSH's own format. Take out its public part: ` +
        `ssh-keygen -e -m PKCS8 -f ${file} > public.pem`,
  "openssh-public": ({ place, file, due }) =>
    due === "private"
      ? `${place} holds a public key of OpenSSH, which cannot sign. Name the private file of the pair.`
      : `${place} is in OpenSSH's own format. Convert it: ssh-keygen -e -m PKCS8 -f ${file} > public.pem`,
  putty: ({ place, file, due }) =>
    due === "private"
      ? `${place} is in PuTTY's own format. Convert it: puttygen ${file} -O private-openssh -o private.pem`
      : `${place} holds a private key in PuTTY's own format. Name the public key's file.`,
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
    `${place} does not open with this passphrase: it is another one, or the file is damaged.`,
  "passphrase-file": ({ place, detail }) =>
    `${place} ${detail}; expected a file with the passphrase in its first line. Correct the path.`,
  "passphrase-empty": ({ place }) =>
    `${place} has an empty first line; expected a passphrase in it. Write one.`,
  "passphrase-too-long": ({ place, detail }) =>
    `${place}: the passphrase is over ${detail}. Choose a shorter one.`,
  "old-encryption": ({ place, file }) =>
    `${place} is encrypted by a method that this Node.js no longer has. Encrypt it again: ` +
    `openssl pkey -provider legacy -provider default -in ${file} -aes-256-cbc -out private.pem`,
  damaged: ({ place, detail }) => `${place} is damaged: ${detail}. Copy the file again, or ${NEW_PAIR}`,
  "too-few-bits": ({ place, detail }) => `${place} is an RSA key of ${detail}; ${NEW_PAIR}`,
  exponent: ({ place, detail }) =>
    `${place} is an RSA key with the exponent ${detail} instead of 65537; ${NEW_PAIR}`,
  kind: ({ place, detail }) => `${place} is a key of the kind ${detail}; ${NEW_PAIR}`,
  "weak-point": ({ place }) =>
    `${place} is an Ed25519 key that everybody can sign with (a point of small order); ${NEW_PAIR}`,
  "no-keys": ({ place }) =>
    `${place} has no public key in it: no file *.pem that could be one. Put public.pem there.`,
  "secret-missing": ({ place, file }) =>
    `${place} does not exist. Copy it from another daemon of the cluster; or, if there is none yet, make it once and ` +
    `copy it to all: dbsync-keygen --cluster-secret ${file}`,
  "secret-damaged": ({ place, detail }) =>
    `${place} ${detail}; expected a cluster's secret: one line of 64 hexadecimal digits. Copy the file again from ` +
    "another daemon of the cluster, or correct the path.",
  "secret-exists": ({ place }) =>
    `${place} is there already, and was left as it is: all daemons of a cluster have the same. Choose another name, or ` +
    "take the old one away at all daemons.",
  "secret-not-writable": ({ place, detail }) =>
    `${place} cannot be written (${detail}). Make room there, or choose a folder that is there and that this user may write to.`,
  exists: ({ place }) =>
    `there is a key already, and nothing was written: ${place}. ` +
    "Choose another --name or --out, or replace both keys with --force.",
  "not-writable": ({ place, detail }) =>
    `${place} cannot be written (${detail}). Make room there, or choose a folder with --out that this user may write to.`,
} as const satisfies Record<string, (facts: Facts) => string>;

export type KeyFileErrorCode = keyof typeof SENTENCES;

/** A key file that cannot be used or made. `message` names the file and the fix; it contains no key material. */
export class KeyFileError extends Error {
  override readonly name = "KeyFileError";
  readonly code: KeyFileErrorCode;
  /** The path; null: the key was not in a file. */
  readonly file: string | null;

  /** @param options  `detail`: completes the sentence of `code`; `cause`: the original error */
  constructor(code: KeyFileErrorCode, place: KeyPlace, options: { detail?: string; cause?: unknown } = {}) {
    const sentence: (facts: Facts) => string = SENTENCES[code];
    const file = place.file === null ? "FILE" : shellWord(place.file);
    const text = sentence({ place: place.name, file, due: place.due, detail: options.detail ?? "" });
    super(text, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.file = place.file;
  }
}
