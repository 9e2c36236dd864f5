/**
 * Runs `dbsync-keygen --certificate`: creates two files for a daemon's TLS and prints the entry for its clients'
 * lists of servers.
 */
import { isIPv6 } from "node:net";
import { join } from "node:path";
import { InvalidArgumentError, Option } from "commander";
import { discard, publishOver, stage } from "./atomic-file.js";
import { type CertificatePem, isCertificateName, MAX_NAMES, makeCertificate } from "./certificate.js";
import { loadCertificateKey } from "./certificate-pair.js";
import { KeyFileError } from "./key-file-errors.js";
import { type KeyPairPaths, prepareKeyPairFiles, writeKeyPair } from "./key-pair-files.js";
import { errnoOf } from "./key-source.js";
import { shellWord } from "./shell-word.js";
import { writingFailure } from "./write-failures.js";

const DEFAULT_DAYS = 825;
const MAX_DAYS = 3650;
const CERTIFICATE_MODE = 0o644;

export interface CertificateOptions {
  readonly names: readonly string[];
  readonly days: number;
  /** Whether to reuse the existing key, so that pins stay valid. */
  readonly keepKey: boolean;
  readonly out: string;
  readonly name: string | null;
  readonly force: boolean;
}

/** The options of `certificateFlags`, as parsed by commander. */
export interface CertificateFlags {
  readonly certificate?: true;
  readonly san?: string[];
  readonly days: number;
  readonly keepKey?: true;
}

export function certificateFlags(): Option[] {
  return [
    new Option(
      "--certificate",
      "instead of keys for signing, generate tls-key.pem and tls-cert.pem for dbsyncd",
    ),
    new Option("--san <names>", "names and addresses of the daemon, separated by commas").argParser(
      readNames,
    ),
    new Option("--days <n>", "how long the certificate is valid").default(DEFAULT_DAYS).argParser(readDays),
    new Option("--keep-key", "generate a new certificate for the existing tls-key.pem"),
  ];
}

/** Generates and writes the certificate and its key. @throws KeyFileError, CertificateError */
export async function writeCertificate(options: CertificateOptions): Promise<string> {
  const prefix = options.name === null ? "" : `${options.name}-`;
  const paths = {
    privateFile: join(options.out, `${prefix}tls-key.pem`),
    publicFile: join(options.out, `${prefix}tls-cert.pem`),
  };
  const key = options.keepKey ? loadCertificateKey(paths.privateFile) : null;
  if (key === null) prepareKeyPairFiles(paths, options);
  const made = await makeCertificate({ names: options.names, days: options.days, key, now: Date.now() });
  if (key === null) {
    const { keyPem: privatePem, certificatePem: publicPem, fingerprint } = made;
    writeKeyPair({ privatePem, publicPem, fingerprint }, paths, options);
  } else replace(paths.publicFile, made.certificatePem);
  return summary(options, paths, made);
}

function replace(file: string, text: string): void {
  let staged: string | null = null;
  try {
    staged = stage(file, text, CERTIFICATE_MODE);
    publishOver(staged, file);
  } catch (error) {
    if (staged !== null) discard(staged);
    const origin = { name: file, file, due: "public" } as const;
    throw new KeyFileError("not-writable", origin, {
      detail: writingFailure(error) ?? errnoOf(error),
      cause: error,
    });
  }
}

function summary(options: CertificateOptions, paths: KeyPairPaths, made: CertificatePem): string {
  const [first = ""] = options.names;
  const host = isIPv6(first) ? `[${first}]` : first.replace(/^\*\./, "NAME.");
  const next = options.keepKey
    ? `  the daemon   detects the new file within a minute, or immediately after kill -HUP
  clients      need no change: the key is the same`
    : `  the daemon   dbsyncd --tls-cert ${shellWord(paths.publicFile)} --tls-key ${shellWord(paths.privateFile)}
  clients      use the entry: dbsyncs://${host}:1111#sha256:${made.fingerprint}`;
  return `private key  ${paths.privateFile} (${options.keepKey ? "kept" : "mode 0600"}; for the daemon only)
certificate  ${paths.publicFile} (until ${made.notAfter.toISOString().slice(0, 10)})
names        ${options.names.join(", ")}
fingerprint  sha256:${made.fingerprint} (of the key)

Next:
${next}
`;
}

function readNames(text: string, before: string[] = []): string[] {
  const names = text.split(",").map((name) => name.trim().replace(/^\[(.*)\]$/, "$1"));
  const bad = names.find((name) => !isCertificateName(name));
  if (bad !== undefined) {
    throw new InvalidArgumentError(
      `"${bad}" is neither a host name nor an address. Expected for example db1.example.org,10.0.0.1.`,
    );
  }
  const all = [...new Set([...before, ...names])];
  if (all.length > MAX_NAMES) throw new InvalidArgumentError(`At most ${MAX_NAMES} names.`);
  return all;
}

function readDays(text: string): number {
  const days = Number(text);
  if (!/^\d+$/.test(text) || days < 1 || days > MAX_DAYS)
    throw new InvalidArgumentError(`Expected 1 to ${MAX_DAYS}.`);
  return days;
}
