/** Signed envelopes to several daemons, some of them dated back, as if they had been on their way for long. */
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { hashOf } from "../daemon/trust/identity.js";
import { fingerprint } from "../keys/fingerprint.js";
import { signEnvelopeAside } from "../keys/sign.js";
import { type ByteString, bytesOf } from "../protocol/byte-string.js";
import { FrameParser, writeFrame } from "../protocol/frame.js";
import { writeCommand } from "../protocol/resp/resp-writer.js";
import { bytesOfHex, HASH_BYTES, NONCE_BYTES, signedBytes } from "../protocol/version-2/envelope.js";
import { writeBody } from "../protocol/version-2/envelope-body.js";
import {
  type DaemonMessage,
  readDaemonMessage,
  writeCommandMessage,
  writeHello,
} from "../protocol/version-2/messages-v2.js";
import type { KeyPair } from "./daemon-cpu.js";
import type { Server } from "./processes.js";

const MAX_RESULT_BYTES = 1024 * 1024;
const COMMANDS_AN_ENVELOPE = 64;
const IN_FLIGHT = 8;
const KEYS = 100_000;

export interface LateLoad {
  readonly commands: number;
  /** Part of the envelopes that are late. */
  readonly late: number;
  /** Milliseconds, at most. */
  readonly lateBy: number;
}

interface Line {
  readonly socket: Socket;
  readonly cluster: ByteString;
}

export class LateSender implements Disposable {
  readonly #lines: readonly Line[];
  readonly #key: KeyPair;
  readonly #keyId: ByteString;
  /** By id; the first answer settles. */
  readonly #waiting = new Map<ByteString, (message: DaemonMessage) => void>();
  #number = 0;

  private constructor(lines: readonly Line[], key: KeyPair) {
    this.#lines = lines;
    this.#key = key;
    this.#keyId = bytesOfHex(fingerprint(key.publicKey), HASH_BYTES) as ByteString;
  }

  static async connect(servers: readonly Server[], key: KeyPair): Promise<LateSender> {
    let sender: LateSender | null = null;
    const heard = (message: DaemonMessage) => {
      if (sender !== null) sender.#heard(message);
    };
    const lines = await Promise.all(servers.map(({ port }) => open(port, heard)));
    sender = new LateSender(lines, key);
    return sender;
  }

  /** @returns commands a second, each answered by one daemon at least */
  async send({ commands, late, lateBy }: LateLoad): Promise<number> {
    const startedAt = performance.now();
    let left = Math.ceil(commands / COMMANDS_AN_ENVELOPE);
    const sent = left * COMMANDS_AN_ENVELOPE;
    const sending = async () => {
      while (left-- > 0)
        await this.#sendOne(Date.now() - (Math.random() < late ? Math.random() * lateBy : 0));
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, sending));
    return sent / ((performance.now() - startedAt) / 1000);
  }

  [Symbol.dispose](): void {
    for (const { socket } of this.#lines) socket.destroy();
  }

  async #sendOne(at: number): Promise<void> {
    const [{ cluster }] = this.#lines as [Line, ...Line[]];
    const nonce = bytesOf(randomBytes(NONCE_BYTES));
    const commands = Array.from({ length: COMMANDS_AN_ENVELOPE }, () =>
      writeCommand(["SET", `key:${this.#number++ % KEYS}`, "x".repeat(16)]),
    );
    const body = writeBody({ key: this.#keyId, cluster, at: Math.floor(at), seq: 0, nonce }, commands);
    const bytes = signedBytes(Buffer.from(body, "latin1"));
    const signature = bytesOf(await signEnvelopeAside(bytes, this.#key.privateKey));
    const id = hashOf(bytes);
    const frame = Buffer.from(writeFrame(writeCommandMessage(body, signature), 2), "latin1");
    const answer = new Promise<DaemonMessage>((resolve) => this.#waiting.set(id, resolve));
    for (const { socket } of this.#lines) socket.write(frame);
    const { kind, ...rest } = await answer;
    if (kind !== "result") throw new Error(`expected a result, got: ${kind} ${JSON.stringify(rest)}`);
  }

  #heard(message: DaemonMessage): void {
    if (!("id" in message)) return;
    this.#waiting.get(message.id)?.(message);
    this.#waiting.delete(message.id);
  }
}

/** Connects, and asks for the cluster. */
function open(port: number, heard: (message: DaemonMessage) => void): Promise<Line> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  const parser = new FrameParser(MAX_RESULT_BYTES, 2);
  const hello = { kind: "hello", versions: [2], daemon: "", cluster: "", clock: Date.now() } as const;
  socket.write(writeFrame(writeHello({ ...hello, state: "", role: "client" }), 2), "latin1");
  return new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.on("data", (chunk: Buffer) => {
      for (const payload of parser.push(chunk)) {
        const message = readDaemonMessage(payload);
        if (message.kind === "hello") resolve({ socket, cluster: message.cluster });
        else heard(message);
      }
    });
  });
}
