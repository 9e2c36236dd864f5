/**
 * The daemon's TLS certificate. Its files are read at the start, on SIGHUP, and when they change. If new files cannot
 * be used, the old certificate stays in use. Open connections keep the certificate with which they were opened.
 */
import { type Stats, statSync } from "node:fs";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import type { Logger } from "pino";
import {
  CertificateError,
  type CertificateFiles,
  type CertificatePair,
  loadCertificatePair,
} from "../../../keys/certificate-pair.js";
import { dateText } from "../../../protocol/version-2/envelope.js";
import type { Environment } from "../../net/process/clock-and-randomness.js";
import { LogThrottle } from "../../net/process/log-throttle.js";
import { type Service, StartError } from "../../net/process/service.js";

/** A warning is logged when a certificate expires in less than this number of milliseconds. */
const SOON_MS = 14 * 86_400_000;
/** The interval between two warnings about the same certificate, in milliseconds. */
const WARN_EVERY_MS = 86_400_000;

/**
 * The interval between two checks of the files, in milliseconds. The files are polled, because watching them would miss
 * changed links and mounts.
 */
export const CHECK_EVERY_MS = 30_000;

export class TlsCertificate implements Service {
  /** The interval between two checks of the files, in milliseconds. */
  readonly #checkEvery: number;
  readonly #environment: Environment;
  readonly #log: Logger;
  #files: CertificateFiles;
  #pair: CertificatePair;
  /** The stamp of the files at the last reading, even if they could not be used. */
  #seen: string;
  readonly #throttle: LogThrottle;
  #timer: NodeJS.Timeout | null = null;
  readonly #listeners: ((certificate: SecureContextOptions) => void)[] = [];

  /** Reads the files. @throws StartError */
  constructor({
    files,
    checkEvery,
    environment,
    log,
  }: {
    readonly files: CertificateFiles;
    readonly checkEvery: number;
    readonly environment: Environment;
    readonly log: Logger;
  }) {
    this.#files = files;
    this.#checkEvery = checkEvery;
    this.#environment = environment;
    this.#log = log;
    this.#seen = stampOf(files);
    this.#pair = readPair(files);
    this.#throttle = new LogThrottle({ log, uptime: environment.uptime, periodMs: WARN_EVERY_MS });
    this.#logCertificate();
  }

  get current(): SecureContextOptions {
    return { cert: this.#pair.certificatePem, key: this.#pair.keyPem };
  }

  /** The end of an address with which clients accept only the certificate's key, such as "#sha256:81f0…". */
  get pin(): string {
    return `#sha256:${this.#pair.fingerprint}`;
  }

  /** Registers a listener that receives each new certificate. */
  provideTo(listener: (certificate: SecureContextOptions) => void): void {
    this.#listeners.push(listener);
  }

  async start(): Promise<void> {
    this.#timer = setInterval(this.#checkFiles, this.#checkEvery).unref();
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  /** Reads the files even if they are unchanged. @returns a function that starts using them @throws StartError */
  reload(files: CertificateFiles): () => void {
    const stamp = stampOf(files);
    const pair = readPair(files);
    return () => {
      this.#files = files;
      this.#seen = stamp;
      this.#take(pair);
    };
  }

  readonly #checkFiles = (): void => {
    this.#warnOfEnd();

    const stamp = stampOf(this.#files);
    if (stamp === this.#seen) return;
    this.#seen = stamp;
    try {
      this.#take(readPair(this.#files));
    } catch (problem) {
      if (!(problem instanceof StartError)) throw problem;
      // Only one of the two files may have been replaced so far. When the second one is replaced, the stamp changes
      // again.
      this.#log.error(`The old certificate stays: ${problem.message}`);
    }
  };

  #take(pair: CertificatePair): void {
    if (pair.certificatePem === this.#pair.certificatePem && pair.keyPem === this.#pair.keyPem) return;
    this.#pair = pair;
    this.#throttle.clear("dates");
    for (const listener of this.#listeners) listener(this.current);
    this.#logCertificate();
  }

  #logCertificate(): void {
    const { fingerprint, names, notAfter, warnings } = this.#pair;
    for (const warning of warnings) this.#log.warn(warning);
    const until = dateText(notAfter);
    this.#log.info({ fingerprint: `sha256:${fingerprint}`, names, until }, "TLS with this certificate");
    this.#warnOfEnd();
  }

  #warnOfEnd(): void {
    const now = this.#environment.clock();
    const { notBefore, notAfter } = this.#pair;
    if (notBefore <= now && now < notAfter - SOON_MS) return;
    const begins = `is not valid before ${dateText(notBefore)}`;
    const ends = `${now < notAfter ? "expires" : "expired"} at ${dateText(notAfter)}`;
    this.#throttle.warn(
      "dates",
      {},
      `${this.#files.certificate} ${now < notBefore ? begins : ends}; only clients that pin its key accept it ` +
        "outside its dates. Renew it (dbsync-keygen --certificate --keep-key); no restart is needed.",
    );
  }
}

/** Reads a pair of files and checks that the daemon can serve with it. @throws StartError  states the cure */
export function readPair(files: CertificateFiles): CertificatePair {
  try {
    const pair = loadCertificatePair(files);
    // Throws if this OpenSSL cannot serve with the pair, for example because the key is too short.
    createSecureContext({ cert: pair.certificatePem, key: pair.keyPem });
    return pair;
  } catch (problem) {
    if (problem instanceof CertificateError) throw new StartError(`TLS: ${problem.message}`, 1);
    const reason = problem instanceof Error ? problem.message : String(problem);
    throw new StartError(`TLS: ${files.certificate} cannot be used: ${reason}. Create a new one.`, 1);
  }
}

/** Returns a string that changes when one of the files changes. */
function stampOf({ certificate, key }: CertificateFiles): string {
  return [certificate, key].map(stampOfFile).join();
}

function stampOfFile(file: string): string {
  let stats: Stats | undefined;
  try {
    stats = statSync(file, { throwIfNoEntry: false });
  } catch {
    // If a parent folder is not accessible, treat the file as absent. The attempt to read the file reports the reason.
  }
  return stats === undefined
    ? "absent"
    : `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeMs}:${stats.ctimeMs}`;
}
