/** The types of test/vectors/v2/vectors.json, for its generator and its readers. README.md there describes them. */
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../repository.js";

export const vectorFolder = join(repositoryRoot, "test/vectors/v2");

export interface VectorKey {
  readonly name: string;
  readonly role: "application" | "root" | "daemon" | "unknown";
  /** The path of the private key, relative to the folder of vectors.json. */
  readonly privateFile: string;
  readonly publicFile: string;
  readonly id: string;
}

export interface VectorCondition {
  readonly db: number;
  readonly key: string;
  readonly writer: string;
}

export interface VectorHeader {
  readonly key: string;
  readonly cluster: string;
  readonly at: number;
  readonly seq: number;
  readonly nonce: string;
  readonly db?: number;
  readonly multi?: true;
  readonly if?: readonly VectorCondition[];
  readonly ifs?: readonly { readonly index: number; readonly if: readonly VectorCondition[] }[];
  readonly after?: string;
  readonly only?: string;
  readonly as?: string;
  readonly decide?: true;
}

export interface GoodVector {
  readonly name: string;
  /** The name of the signing key. */
  readonly key: string;
  readonly note?: string;
  readonly header: VectorHeader;
  readonly commands: readonly (readonly string[])[];
  readonly body: string;
  /** The bytes before `body` in the signed bytes. */
  readonly signedPrefix: string;
  readonly id: string;
  readonly signature: string;
  /** The order key of each unit. */
  readonly orderKeys: readonly string[];
}

export type Stage = "frame" | "message" | "key" | "signature" | "body" | "header";

export interface BadVector {
  readonly name: string;
  readonly stage: Stage;
  /**
   * The code of the refusal, or null if the daemon closes the connection without an answer because it does not
   * know the version.
   */
  readonly code: string | null;
  readonly note: string;
  /** All bytes to send, for the stages frame and message. */
  readonly stream?: string;
  /** The contents of a `command` message, for all other stages. */
  readonly body?: string;
  readonly signature?: string;
}

/** A vector without a valid signature, for a daemon without keys and for one with keys. */
export interface UnsignedVector {
  readonly name: string;
  readonly note: string;
  readonly body: string;
  readonly signature: string;
  readonly id: string;
  /** The answer of the daemon without keys: its replies in RESP2, or the code of its refusal. */
  readonly withoutKeys: readonly string[] | string;
  /** The code of the refusal by the daemon with keys. */
  readonly withKeys: string;
}

export interface MessageVector {
  readonly name: string;
  readonly from: "client" | "daemon";
  readonly payload: string;
  readonly decoded: Readonly<Record<string, unknown>>;
}

export interface Vectors {
  readonly now: number;
  readonly startedAt: number;
  readonly clusterName: string;
  readonly genesis: string;
  readonly cluster: string;
  readonly keys: readonly VectorKey[];
  readonly messages: readonly MessageVector[];
  readonly good: readonly GoodVector[];
  readonly bad: readonly BadVector[];
  readonly unsigned: readonly UnsignedVector[];
}

export function readVectors(): Vectors {
  return JSON.parse(readFileSync(join(vectorFolder, "vectors.json"), "utf8")) as Vectors;
}

export function privateKeyOf({ privateFile }: VectorKey): KeyObject {
  return createPrivateKey(readFileSync(join(vectorFolder, privateFile)));
}

export function publicKeyOf({ publicFile }: VectorKey): KeyObject {
  return createPublicKey(readFileSync(join(vectorFolder, publicFile)));
}
