/**
 * Loads the files that a TLS server needs: its certificate, followed by those of its authorities, if any, and
 * its private key, RSA or elliptic curve. Reports every problem and its fix when the server starts, before any client
 * connects.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { fingerprint } from "./fingerprint.js";
import { needsLegacyProvider } from "./key-file.js";
import { KeyFileError, shellWord } from "./key-file-errors.js";
import { readKeyFile } from "./key-source.js";
import { contentOf, isEncrypted, type PemBlock, pemBlocks } from "./pem.js";

const MAKE_ONE = "make one: dbsync-keygen --certificate --san NAME";

/** Paths of the two files, as shown in messages. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

export interface CertificatePair {
  /** All certificates in the file; the server's own certificate is first. */
  readonly certificatePem: string;
  readonly keyPem: string;
  /** The key's fingerprint, which clients pin; see fingerprint.ts. */
  readonly fingerprint: string;
  /** The start of the validity, in milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** The names in the certificate, such as `db1.example.org` or `10.0.0.1`. */
  readonly names: readonly string[];
  /** Sentences for the operator about files that are usable but unsafe. */
  readonly warnings: readonly string[];
}

/** A certificate problem. `message` names the file, the problem and the fix; it contains no key material. */
export class CertificateError extends Error {
  override readonly name = "CertificateError";
}

/** Loads and checks both files. @throws CertificateError */
export function loadCertificatePair(files: CertificateFiles): CertificatePair {
  const certificateFile = read(files.certificate, "public");
  const keyFile = read(files.key, "private");
  const chain = certificatesIn(files.certificate, certificateFile.blocks);
  const own = chain[0] as X509Certificate;
  const key = privateKeyIn(files.key, keyFile.blocks);
  requireMatch(files, chain, key.object);

  return {
    certificatePem: certificateFile.blocks.map(({ text }) => text).join(""),
    keyPem: key.text,
    fingerprint: fingerprint(own.publicKey),
    notBefore: Date.parse(own.validFrom),
    notAfter: Date.parse(own.validTo),
    names: namesOf(own),
    warnings: [...certificateFile.warnings, ...keyFile.warnings],
  };
}

/** Loads only the private key, to generate a new certificate for the same key. @throws CertificateError */
export function loadCertificateKey(file: string): KeyObject {
  const { object } = privateKeyIn(file, read(file, "private").blocks);
  const { asymmetricKeyType: kind } = object;
  if (kind !== "rsa") {
    throw new CertificateError(
      `${file} is a key of type ${kind}; dbsync-keygen generates certificates only for RSA keys.`,
    );
  }
  return object;
}

function read(file: string, due: "private" | "public"): { blocks: PemBlock[]; warnings: string[] } {
  try {
    const { bytes, warnings } = readKeyFile(file, due);
    return { blocks: pemBlocks(bytes), warnings };
  } catch (error) {
    if (!(error instanceof KeyFileError)) throw error;
    throw new CertificateError(sentenceOf(error, file), { cause: error });
  }
}

function sentenceOf({ code, message }: KeyFileError, file: string): string {
  if (code === "not-found") return `${file} does not exist. Correct the path, or ${MAKE_ONE}`;
  return code === "is-folder" ? `${file} is a folder instead of a file.` : message;
}

function certificatesIn(file: string, blocks: readonly PemBlock[]): X509Certificate[] {
  const certificates = blocks.filter(({ label }) => contentOf(label) === "certificate");
  if (certificates.length === 0 || certificates.length < blocks.length) {
    const found = blocks.length === 0 ? "no PEM block" : `a "${blocks[0]?.label}"`;
    const other = certificates.length === 0 ? found : "other data besides certificates";
    throw new CertificateError(
      `${file} contains ${other} instead of a certificate. Correct the path, or ${MAKE_ONE}`,
    );
  }

  return certificates.map(({ text }) => {
    try {
      return new X509Certificate(text ?? "");
    } catch (cause) {
      throw new CertificateError(
        `${file} is damaged: a certificate in it is incomplete. Copy the file again.`,
        { cause },
      );
    }
  });
}

function privateKeyIn(file: string, blocks: readonly PemBlock[]): { text: string; object: KeyObject } {
  const keys = blocks.filter(({ label }) => contentOf(label) === "private");
  const block = keys[0];
  if (block === undefined || keys.length > 1) {
    const found = keys.length > 1 ? "several private keys" : "no private key";
    throw new CertificateError(
      `${file} contains ${found}; expected the private key of the certificate. Correct the path.`,
    );
  }

  if (isEncrypted(block)) {
    const legacy = needsLegacyProvider(block) ? "-provider legacy -provider default " : "";
    throw new CertificateError(
      `${file} is encrypted, and the daemon cannot prompt for its passphrase when it starts. ` +
        `Make a copy without one: openssl pkey ${legacy}-in ${shellWord(file)} -out tls-key.pem`,
    );
  }

  const text = block.text ?? "";
  try {
    return { text, object: createPrivateKey(text) };
  } catch (cause) {
    throw new CertificateError(`${file} is damaged: the key in it is incomplete. Copy the file again.`, {
      cause,
    });
  }
}

function requireMatch(files: CertificateFiles, chain: readonly X509Certificate[], key: KeyObject): void {
  if (chain[0]?.checkPrivateKey(key)) return;
  const index = chain.findIndex((certificate) => certificate.checkPrivateKey(key));
  throw new CertificateError(
    index < 0
      ? `${files.key} is not the private key of ${files.certificate}. Specify the two files of one pair.`
      : `${files.certificate} has the daemon's own certificate as number ${index + 1}. Put it first, its authorities after it.`,
  );
}

function namesOf(certificate: X509Certificate): string[] {
  const names = certificate.subjectAltName?.split(", ") ?? [];
  return names.map((name) => name.replace(/^(DNS|IP Address):/, ""));
}
