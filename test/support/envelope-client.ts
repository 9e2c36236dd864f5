/** A client of protocol version 2 that sends exactly the envelopes of a test: no batches, no retries. */
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
import { signEnvelope } from "../../keys/signatures.js";
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
  writeClientHello,
  writeCommandMessage,
} from "../../protocol/version-2/messages-v2.js";
import { RawClient } from "./raw-client.js";
import { repositoryRoot } from "./repository.js";
import { scratchFolder } from "./scratch-folder.js";

export interface KeyPair {
  readonly privateKey: KeyObject;
  /** The path of the public key in PEM. */
  readonly file: string;
  readonly pem: string;
  /** The SHA-256 hash of the SubjectPublicKeyInfo, as raw bytes. */
  readonly id: ByteString;
}

const sha256 = (bytes: Buffer): ByteString => createHash("sha256").update(bytes).digest("binary");

/** A recorded RSA key, since generating one takes longer than most tests. */
const RSA_FILE = join(repositoryRoot, "test/vectors/php-dbsync/test-rsa2048-private.pem");

/** The folder for the files of all key pairs of this process. */
let folder: string | null = null;
let pairs = 0;

/** Makes a key pair and writes its public key to a file. All RSA pairs are the same. */
export function makeKeyPair(kind: "rsa" | "ed25519" = "ed25519"): KeyPair {
  const privateKey =
    kind === "rsa" ? createPrivateKey(readFileSync(RSA_FILE)) : generateKeyPairSync("ed25519").privateKey;
  const publicKey = createPublicKey(privateKey);
  const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
  folder ??= scratchFolder("envelope");
  const pairFolder = join(folder, String(pairs++));
  mkdirSync(pairFolder);
  const file = join(pairFolder, "public.pem");
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

/** Signs commands as one envelope. @param header  header fields that replace the defaults */
export function signCommands(
  { privateKey, id: key }: Pick<KeyPair, "privateKey" | "id">,
  commands: readonly (readonly ByteString[])[],
  header: Partial<EnvelopeHeader> & Pick<EnvelopeHeader, "cluster">,
): SignedEnvelope {
  const defaults = { key, at: Date.now(), seq: 0, nonce: randomBytes(16).toString("latin1") };
  return signBody(
    privateKey,
    Buffer.from(writeBody({ ...defaults, ...header }, commands.map(writeCommand)), "latin1"),
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

export interface AcceptedResult {
  readonly kind: "result";
  readonly id: ByteString;
  readonly clock: number;
  readonly newest: EnvelopeDate;
  readonly replies: readonly PlainReply[];
  readonly flags: readonly string[];
}

export type DaemonMessage = Hello | RefusedMessage | AcceptedResult;

/** The connection that carries the envelopes. */
export interface Line extends Disposable {
  /** The bytes that have arrived and are not read yet. */
  readonly received: string;
  send(bytes: string): void;
  /** Reads at least this number of bytes, or fewer if the other side closes the connection first. */
  read(bytes: number): Promise<string>;
}

export class EnvelopeClient<Raw extends Line = RawClient> implements Disposable {
  readonly raw: Raw;
  cluster: ByteString = "";
  readonly #pair: KeyPair;
  readonly #parser = new FrameParser(512 * 1024 * 1024, 2);
  readonly #messages: DaemonMessage[] = [];

  private constructor(raw: Raw, pair: KeyPair) {
    this.raw = raw;
    this.#pair = pair;
  }

  /** Connects, and reads the cluster's id from the daemon's hello. */
  static async open(port: number, pair: KeyPair): Promise<EnvelopeClient> {
    return await EnvelopeClient.over(await RawClient.open(port), pair);
  }

  /** Reads the cluster's id from the daemon's hello on an existing connection. */
  static async over<Raw extends Line>(raw: Raw, pair: KeyPair): Promise<EnvelopeClient<Raw>> {
    const client = new EnvelopeClient(raw, pair);
    client.cluster = (await client.hello()).cluster;
    return client;
  }

  /** @param others  the number of other daemons that the client states; null: none is stated */
  async hello(others: number | null = null): Promise<Hello> {
    this.raw.send(writeFrame(writeClientHello("", Date.now(), others), 2));
    const message = await this.next();
    if (message?.kind !== "hello") throw new Error(`expected a hello, got ${JSON.stringify(message)}`);
    return message;
  }

  sign(commands: readonly (readonly ByteString[])[], header: Partial<EnvelopeHeader> = {}): SignedEnvelope {
    return signCommands(this.#pair, commands, { cluster: this.cluster, ...header });
  }

  /** Sends an envelope of commands and waits for the next message. */
  async ask(
    commands: readonly (readonly ByteString[])[],
    header: Partial<EnvelopeHeader> = {},
  ): Promise<AcceptedResult | RefusedMessage> {
    return await this.exchange(this.sign(commands, header).frame);
  }

  /** Sends an envelope that the daemon must accept. @returns the replies to its commands */
  async replies(
    commands: readonly (readonly ByteString[])[],
    header: Partial<EnvelopeHeader> = {},
  ): Promise<readonly Reply[]> {
    const message = await this.ask(commands, header);
    if (message.kind !== "result") throw new Error(`refused: ${message.code}: ${message.sentence}`);
    return message.replies;
  }

  async exchange(frame: ByteString): Promise<AcceptedResult | RefusedMessage> {
    this.raw.send(frame);
    const message = await this.next();
    if (message === null || message.kind === "hello")
      throw new Error(`expected an answer, got ${JSON.stringify(message)}`);
    return message;
  }

  /** Waits for the next message. @returns null if the daemon has closed the connection */
  async next(): Promise<DaemonMessage | null> {
    while (this.#messages.length === 0) {
      const bytes = await this.raw.read(Math.max(1, this.raw.received.length));
      if (bytes === "") return null;
      for (const payload of this.#parser.split(Buffer.from(bytes, "latin1")))
        this.#messages.push(messageOf(payload));
    }
    return this.#messages.shift() as DaemonMessage;
  }

  [Symbol.dispose](): void {
    this.raw[Symbol.dispose]();
  }
}

function messageOf(payload: Buffer): DaemonMessage {
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
