/**
 * The keys, the cluster and the time of all version 2 vectors, and a second implementation of the format. It does not
 * use protocol/, so that tests can compare the two implementations. Source: docs/protocol-v2.md.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type VectorKey, vectorFolder } from "./vector.js";

/** The daemon's clock when it receives a vector, and the time of the daemon's start. */
export const NOW = 1790000000000;
export const STARTED_AT = NOW - 20_000;
export const CLUSTER_NAME = "test vectors";

const sha256 = (bytes: Buffer): Buffer => createHash("sha256").update(bytes).digest();

function vectorKey(name: string, role: VectorKey["role"], files: string): VectorKey {
  const publicFile = `${files}-public.pem`;
  const key = createPublicKey(readFileSync(join(vectorFolder, publicFile)));
  const id = sha256(key.export({ type: "spki", format: "der" })).toString("hex");
  return { name, role, privateFile: `${files}-private.pem`, publicFile, id };
}

export const vectorKeys = {
  rsa2048: vectorKey("rsa2048", "application", "../php-dbsync/test-rsa2048"),
  rsa4096: vectorKey("rsa4096", "application", "../php-dbsync/test-rsa4096"),
  ed25519: vectorKey("ed25519", "application", "test-ed25519"),
  root: vectorKey("root", "root", "test-root"),
  daemon: vectorKey("daemon", "daemon", "test-daemon"),
  stranger: vectorKey("stranger", "unknown", "test-stranger"),
} as const;

export type KeyName = keyof typeof vectorKeys;

/** A RESP2 value: a latin1 string, an array, or raw bytes. */
export type Resp = string | readonly Resp[] | Buffer;

/** Returns raw bytes that are sent in place of an encoded value. */
export const raw = (text: string): Buffer => Buffer.from(text, "latin1");

export function resp(value: Resp): Buffer {
  if (Buffer.isBuffer(value)) return value;
  if (typeof value === "string") return raw(`$${value.length}\r\n${value}\r\n`);
  return Buffer.concat([raw(`*${value.length}\r\n`), ...value.map(resp)]);
}

function withDomain(domain: string, bytes: Buffer): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(bytes.length));
  return Buffer.concat([raw(`dbsync2\0${domain}\0`), length, bytes]);
}

export const signedBytesOf = (body: Buffer): Buffer => withDomain("command", body);
export const idOf = (body: Buffer): Buffer => sha256(signedBytesOf(body));

const idsOf = (role: VectorKey["role"]): string[] =>
  Object.values(vectorKeys)
    .filter((key) => key.role === role)
    .map(({ id }) => id)
    .sort()
    .map((id) => hexText(id));

/** Decodes hexadecimal digits to a latin1 string. */
export function hexText(hex: string): string {
  return Buffer.from(hex, "hex").toString("latin1");
}

export const genesis = resp(["dbsync2", CLUSTER_NAME, idsOf("application"), idsOf("root")]);
export const cluster = sha256(withDomain("genesis", genesis));

const privateKeys = new Map<KeyName, KeyObject>();

export function privateKey(name: KeyName): KeyObject {
  let key = privateKeys.get(name);
  if (key === undefined) {
    key = createPrivateKey(readFileSync(join(vectorFolder, vectorKeys[name].privateFile)));
    privateKeys.set(name, key);
  }
  return key;
}

export function signatureOf(bytes: Buffer, name: KeyName): Buffer {
  return name.startsWith("rsa")
    ? sign("sha256", bytes, privateKey(name))
    : sign(null, bytes, privateKey(name));
}

/** Returns the beginning of the hash of a vector's name: 16 reproducible bytes. */
export const nonceOf = (name: string): string => sha256(raw(name)).toString("latin1", 0, 16);

export const frame = (payload: Buffer): Buffer => Buffer.concat([raw(`ds2:${payload.length}:`), payload]);
