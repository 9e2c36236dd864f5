/**
 * Generates a self-signed server certificate: X.509 v3 (RFC 5280) for a list of names, with an RSA key. node-forge
 * encodes it, and is loaded only for that; node:crypto generates the key and the signature.
 */
import { createPublicKey, generateKeyPair, type KeyObject, randomBytes, sign } from "node:crypto";
import { createRequire } from "node:module";
import { isIP } from "node:net";
import { promisify } from "node:util";
import { CertificateError } from "./certificate-pair.js";
import { fingerprint } from "./fingerprint.js";
import { encodePem } from "./pem.js";

/** The maximum number of names in one certificate. All of them are sent in every handshake. */
export const MAX_NAMES = 100;

const RSA_BITS = 2048;
const RSA_EXPONENT = 65537;
const SERIAL_BYTES = 16;
const DAY_MS = 86_400_000;
/** How far `notBefore` is set before the time of creation, for clients with slow clocks. */
const BACKDATE_MS = 3_600_000;
/** The maximum length of a common name. Source: RFC 5280, A.1, ub-common-name. */
const MAX_COMMON_NAME = 64;
/** The types of alternative names. Source: RFC 5280, 4.2.1.6. */
const DNS_NAME = 2;
const IP_ADDRESS = 7;

export interface CertificatePem {
  /** The private key as PKCS#8. */
  readonly keyPem: string;
  readonly certificatePem: string;
  /** The key's fingerprint, which clients pin; see fingerprint.ts. */
  readonly fingerprint: string;
  readonly notAfter: Date;
}

/** Whether `name` is valid in a certificate: a host name, a wildcard such as `*.example.org`, or an address. */
export function isCertificateName(name: string): boolean {
  if (isIP(name) !== 0) return !name.includes("%");
  if (name.length > 253 || /^[\d.]+$/.test(name)) return false;
  return /^(\*\.)?[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/i.test(
    name,
  );
}

/**
 * Generates a self-signed certificate.
 * @param options.names  one or more valid names (`isCertificateName`); the first is also the subject's
 * @param options.key    the private RSA key of the certificate to replace, so that pins stay valid,
 * or null to generate a new key
 * @param options.now    milliseconds since 1970
 * @throws CertificateError  node-forge is not installed, as with the package dbsync-client
 */
export async function makeCertificate(options: {
  names: readonly string[];
  days: number;
  key: KeyObject | null;
  now: number;
}): Promise<CertificatePem> {
  const { names, days, now } = options;
  const pki = forgePki();
  const key = options.key ?? (await newKey());
  const notAfter = new Date(now + days * DAY_MS);

  const certificate = pki.createCertificate();
  certificate.publicKey = pki.publicKeyFromPem(
    createPublicKey(key).export({ type: "spki", format: "pem" }).toString(),
  );
  certificate.serialNumber = newSerial();
  certificate.validity.notBefore = new Date(now - BACKDATE_MS);
  certificate.validity.notAfter = notAfter;

  const subject = [
    { name: "commonName", value: names.find(({ length }) => length <= MAX_COMMON_NAME) ?? "dbsyncd" },
  ];
  certificate.setSubject(subject);
  certificate.setIssuer(subject);
  certificate.setExtensions([
    { name: "basicConstraints", cA: false, critical: true },
    { name: "keyUsage", digitalSignature: true, keyEncipherment: true, critical: true },
    { name: "extKeyUsage", serverAuth: true },
    { name: "subjectAltName", altNames: names.map(alternativeName) },
    { name: "subjectKeyIdentifier" },
  ]);

  const asn1 = forgeAsn1();
  const toBeSigned = () => Buffer.from(asn1.toDer(certificate.tbsCertificate).getBytes(), "latin1");
  const signer = { sign: () => sign("sha256", toBeSigned(), key).toString("latin1") };
  certificate.sign(signer as unknown as Parameters<typeof certificate.sign>[0], forgeSha256().create());
  const der = Buffer.from(asn1.toDer(pki.certificateToAsn1(certificate)).getBytes(), "latin1");

  return {
    keyPem: encodePem("PRIVATE KEY", key.export({ type: "pkcs8", format: "der" })),
    certificatePem: encodePem("CERTIFICATE", der),
    fingerprint: fingerprint(key),
    notAfter,
  };
}

async function newKey(): Promise<KeyObject> {
  const parameters = { modulusLength: RSA_BITS, publicExponent: RSA_EXPONENT };
  return (await promisify(generateKeyPair)("rsa", parameters)).privateKey;
}

/** Returns a random positive serial number of full length. Source: RFC 5280, 4.1.2.2. */
function newSerial(): string {
  const bytes = randomBytes(SERIAL_BYTES);
  bytes[0] = ((bytes[0] as number) & 0x3f) | 0x40;
  return bytes.toString("hex");
}

function alternativeName(name: string): { type: number; value?: string; ip?: string } {
  return isIP(name) === 0 ? { type: DNS_NAME, value: name.toLowerCase() } : { type: IP_ADDRESS, ip: name };
}

const require = createRequire(import.meta.url);

function forgePki(): typeof import("node-forge").pki {
  try {
    return require("node-forge/lib/x509.js");
  } catch (problem) {
    if (!(problem instanceof Error && "code" in problem && problem.code === "MODULE_NOT_FOUND"))
      throw problem;
    throw new CertificateError(
      "Generating a certificate requires the package node-forge, which is not installed here. Use the dbsync-keygen of dbsyncd, or: npm install node-forge",
    );
  }
}

function forgeAsn1(): typeof import("node-forge").asn1 {
  return require("node-forge/lib/asn1.js");
}

function forgeSha256(): typeof import("node-forge").md.sha256 {
  return require("node-forge/lib/sha256.js");
}
