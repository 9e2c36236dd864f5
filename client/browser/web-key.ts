/**
 * The keys of web pages. WebCrypto generates them, signs with them and does not export them. They are stored in
 * IndexedDB under a name, and only pages of the same site can use them.
 */
import { DbsyncError } from "../shared/errors.js";
import { IndexedStore } from "./indexed-store.js";

export interface WebKey {
  readonly privateKey: Parameters<typeof globalThis.crypto.subtle.sign>[1];
  /** The public key as SubjectPublicKeyInfo. */
  readonly spki: ArrayBuffer;
}

/** The algorithms that daemons support. The client uses the first one that the browser also supports. */
const ALGORITHMS = [
  { name: "Ed25519" },
  {
    name: "RSASSA-PKCS1-v1_5",
    hash: "SHA-256",
    modulusLength: 2048,
    publicExponent: new Uint8Array([1, 0, 1]),
  },
];

const DATABASE = "dbsync";
const STORE = "keys";
const PEM_LINE = /.{1,64}/g;

/** Generates a key that is not stored. @throws DbsyncError `bad-key` */
export async function makeKey(): Promise<WebKey> {
  const { subtle } = globalThis.crypto;
  if (subtle === undefined)
    throw new DbsyncError("bad-key", "no WebCrypto: open the page over https, or from localhost");

  let problem: unknown;
  for (const algorithm of ALGORITHMS) {
    try {
      const made = await subtle.generateKey(algorithm, false, ["sign", "verify"]);
      const { privateKey, publicKey } = made as Exclude<typeof made, { type: string }>;
      return { privateKey, spki: await subtle.exportKey("spki", publicKey) };
    } catch (cause) {
      problem = cause;
    }
  }
  throw new DbsyncError("bad-key", String(problem), { cause: problem });
}

/** Returns the key stored under `name`. If there is none, generates and stores one. @throws DbsyncError `bad-key` */
export async function openKey(name: string): Promise<WebKey> {
  const store = await IndexedStore.open<WebKey>(DATABASE, STORE).catch((cause) => {
    throw new DbsyncError("bad-key", `IndexedDB: ${cause}`, { cause });
  });

  try {
    const stored = await store.get(name);
    if (stored !== undefined) return stored;
    const made = await makeKey();
    // If another page has stored a key in the meantime, that key is used.
    await store.add(name, made).catch(() => {});
    return (await store.get(name)) ?? made;
  } finally {
    store.close();
  }
}

/** Returns the public key as PEM, the form that `dbsync keys add` accepts. */
export function publicKeyPem({ spki }: WebKey): string {
  const base64 = btoa(String.fromCharCode(...new Uint8Array(spki)));
  return `-----BEGIN PUBLIC KEY-----\n${base64.match(PEM_LINE)?.join("\n")}\n-----END PUBLIC KEY-----\n`;
}
