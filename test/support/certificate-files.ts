/** Writes certificates for tests of TLS. */
import { createPrivateKey, type KeyObject } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeCertificate } from "../../keys/certificate.js";
import { amount } from "./amount.js";

const DAY_MS = 86_400_000;
/** The number of keys of a process, which its certificates use in turn: making one takes a fifth of a second of CPU. */
const KEYS = amount(3, 1000);
const keys: KeyObject[] = [];
let count = 0;

export interface TestCertificate {
  readonly certificate: string;
  readonly key: string;
  readonly pem: string;
  /** SHA-256, 64 hexadecimal digits. */
  readonly fingerprint: string;
}

/**
 * Writes a certificate that is valid for this machine's names.
 * @param options.expired  whether the certificate expired yesterday
 */
export async function writeCertificate(
  folder: string,
  options: { names?: readonly string[]; expired?: boolean } = {},
): Promise<TestCertificate> {
  const { names = ["localhost", "127.0.0.1", "::1"], expired = false } = options;
  const now = expired ? Date.now() - 11 * DAY_MS : Date.now();
  const index = count++ % KEYS;
  const made = await makeCertificate({ names, days: expired ? 10 : 30, key: keys[index] ?? null, now });
  keys[index] ??= createPrivateKey(made.keyPem);
  const files = { certificate: join(folder, "tls-cert.pem"), key: join(folder, "tls-key.pem") };
  writeFileSync(files.key, made.keyPem, { mode: 0o600 });
  writeFileSync(files.certificate, made.certificatePem);
  return { ...files, pem: made.certificatePem, fingerprint: made.fingerprint };
}
