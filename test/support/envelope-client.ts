/** A client of version 2 that sends only what a test requests: no batches, no retries. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { signEnvelope } from "../../keys/sign.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { FrameParser, writeFrame } from "../../protocol/frame.js";
import type { PlainReply, Reply } from "../../protocol/reply.js";
import { writeCommand } from "../../protocol/resp/resp-writer.js";
import { type EnvelopeHeader, signedBytes } from "../../protocol/version-2/envelope.js";
import { writeBody } from "../../protocol/version-2/envelope-body.js";
import {
  type EnvelopeDate,
  type Hello,
  type RefusedMessage,
  readDaemonMessage,
  writeCommandMessage,
  writeHello,
} from "../../protocol/version-2/messages-v2.js";
import { RawClient } from "./raw-client.js";
import { repositoryRoot } from "./repository.js";
import { scratchFolder } from "./scratch-folder.js";

export interface KeyPair {
  readonly privateKey: KeyObject;
  /** The file of the public half, PEM. */
  readonly file: string;
  readonly pem: string;
  /** SHA-256 of the SubjectPublicKeyInfo, raw. */
  readonly id: ByteString;
}

const sha256 = (bytes: Buffer): ByteString => createHash("sha256").update(bytes).digest("binary");

/** A recorded RSA key: making one takes longer than most tests. */
const RSA_FILE = join(repositoryRoot, "test/vectors/php-dbsync/test-rsa2048-private.pem");

/** The folder of all pairs' files, one per process. */
let folder: string | null = null;
let pairs = 0;

/** Makes a key pair with its public half in a file. All RSA pairs are the same. */
export function makeKeyPair(kind: "rsa" | "ed25519" = "ed25519"): KeyPair {
  const privateKey =
    kind === "rsa" ? createPrivateKey(readFileSync(RSA_FILE)) : generateKeyPairSync("ed25519").privateKey;
  const publicKey = createPublicKey(privateKey);
  const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
  folder ??= scratchFolder("envelope");
  const own = join(folder, String(pairs++));
  mkdirSync(own);
  const file = join(own, "public.pem");
  writeFileSync(file, pem);
  return { privateKey, file, pem, id: sha256(publicKey.export({ type: "spki", format: "der" })) };
}

export interface SignedEnvelope {
  readonly id: ByteString;
  readonly body: Buffer;
  readonly signature: Buffer;
  /** The complete command frame. */
  readonly frame: ByteString;
}

/** Signs commands. @param header  fields that differ from the usual */
export function signCommands(
  { privateKey, id: key }: Pick<KeyPair, "privateKey" | "id">,
  commands: readonly (readonly ByteString[])[],
  header: Partial<EnvelopeHeader> & Pick<EnvelopeHeader, "cluster">,
): SignedEnvelope {
  const usual = { key, at: Date.now(), seq: 0, nonce: randomBytes(16).toString("latin1") };
  return signBody(
    privateKey,
    Buffer.from(writeBody({ ...usual, ...header }, commands.map(writeCommand)), "latin1"),
  );
}

export function signBody(privateKey: KeyObject, body: Buffer): SignedEnvelope {
  const signed = signedBytes(body);
  const signature = signEnvelope(signed, privateKey);
  return { id: sha256(signed), body, signature, frame: frameOf(body, signature) };
}

export function frameOf(body: Buffer, signature: Buffer): ByteString {
  return writeFrame(writeCommandMessage(body.toString("latin1"), signature.toString("latin1")), 2);
}

export interface TakenResult {
  readonly kind: "result";
  readonly id: ByteString;
  readonly clock: number;
  readonly newest: EnvelopeDate;
  readonly replies: readonly PlainReply[];
  readonly flags: readonly string[];
}

export type DaemonSaid = Hello | RefusedMessage | TakenResult;

/** The connection that carries the envelopes. */
export interface Line extends Disposable {
  /** The bytes that have arrived and were not read. */
  readonly received: string;
  send(bytes: string): void;
  /** Reads at least this many bytes; fewer if the other side closes first. */
  read(bytes: number): Promise<string>;
}

export class EnvelopeClient<Raw extends Line = RawClient> implements Disposable {
  readonly raw: Raw;
  cluster: ByteString = "";
  readonly #pair: KeyPair;
  readonly #parser = new FrameParser(512 * 1024 * 1024, 2);
  readonly #messages: DaemonSaid[] = [];

  private constructor(raw: Raw, pair: KeyPair) {
    this.raw = raw;
    this.#pair = pair;
  }

  /** Connects, and learns the cluster. */
  static async open(port: number, pair: KeyPair): Promise<EnvelopeClient> {
    return await EnvelopeClient.over(await RawClient.open(port), pair);
  }

  /** Does the same as `open`, on an existing connection. */
  static async over<Raw extends Line>(raw: Raw, pair: KeyPair): Promise<EnvelopeClient<Raw>> {
    const client = new EnvelopeClient(raw, pair);
    client.cluster = (await client.hello()).cluster;
    return client;
  }

  async hello(): Promise<Hello> {
    const mine = { kind: "hello", versions: [2], daemon: "", cluster: "", clock: Date.now() } as const;
    this.raw.send(writeFrame(writeHello({ ...mine, state: "", role: "client" }), 2));
    const said = await this.next();
    if (said?.kind !== "hello") throw new Error(`expected a hello, got ${JSON.stringify(said)}`);
    return said;
  }

  sign(commands: readonly (readonly ByteString[])[], header: Partial<EnvelopeHeader> = {}): SignedEnvelope {
    return signCommands(this.#pair, commands, { cluster: this.cluster, ...header });
  }

  /** Sends an envelope of commands and waits for the next message. */
  async ask(
    commands: readonly (readonly ByteString[])[],
    header: Partial<EnvelopeHeader> = {},
  ): Promise<TakenResult | RefusedMessage> {
    return await this.exchange(this.sign(commands, header).frame);
  }

  /** Sends an envelope that must be accepted. @returns its replies */
  async replies(
    commands: readonly (readonly ByteString[])[],
    header: Partial<EnvelopeHeader> = {},
  ): Promise<readonly Reply[]> {
    const said = await this.ask(commands, header);
    if (said.kind !== "result") throw new Error(`refused: ${said.code}: ${said.sentence}`);
    return said.replies;
  }

  async exchange(frame: ByteString): Promise<TakenResult | RefusedMessage> {
    this.raw.send(frame);
    const said = await this.next();
    if (said === null || said.kind === "hello")
      throw new Error(`expected an answer, got ${JSON.stringify(said)}`);
    return said;
  }

  /** Waits for the next message; null: the daemon has closed. */
  async next(): Promise<DaemonSaid | null> {
    while (this.#messages.length === 0) {
      const bytes = await this.raw.read(Math.max(1, this.raw.received.length));
      if (bytes === "") return null;
      for (const payload of this.#parser.push(Buffer.from(bytes, "latin1")))
        this.#messages.push(messageOf(payload));
    }
    return this.#messages.shift() as DaemonSaid;
  }

  [Symbol.dispose](): void {
    this.raw[Symbol.dispose]();
  }
}

function messageOf(payload: Buffer): DaemonSaid {
  const message = readDaemonMessage(payload);
  if (message.kind !== "result") return message;
  const { kind, id, clock, newest, units, replies: reader } = message;
  const replies: PlainReply[] = [];
  const flags: string[] = [];
  for (let i = 0; i < units; i++) {
    replies.push(reader.readReply());
    flags.push(reader.readBulk());
  }
  reader.expectEnd();
  return { kind, id, clock, newest, replies, flags };
}
