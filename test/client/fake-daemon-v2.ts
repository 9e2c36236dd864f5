/**
 * A fake version 2 daemon without sockets and without verification of signatures. It accepts and returns frames,
 * handles each envelope as configured by the test, and records the applied ones. It was written only from
 * docs/protocol-v2.md.
 */
import { createHash } from "node:crypto";
import type { ByteString } from "../../protocol/byte-string.js";
import { FrameParser, writeFrame } from "../../protocol/frame.js";
import type { Reply } from "../../protocol/reply.js";
import { writeBulk, writeReply } from "../../protocol/resp/resp-writer.js";
import { type Envelope, readBody, signedBytes } from "../../protocol/version-2/envelope.js";
import {
  type CommandMessage,
  type DaemonState,
  type EnvelopeDate,
  KNOWS_SIGNED,
  readClientMessage,
  writeHello,
  writeRefused,
  writeResult,
} from "../../protocol/version-2/messages-v2.js";

const WINDOW_PAST_MS = 30_000;
const WINDOW_FUTURE_MS = 5_000;

/** An applied envelope with its id and the daemon's time. */
export interface Applied {
  readonly id: ByteString;
  readonly envelope: Envelope;
  readonly clock: number;
}

export class FakeDaemon {
  readonly id: ByteString;
  cluster: ByteString;
  state: DaemonState = "live";
  /** Returns the milliseconds since 1970 by the daemon's clock. */
  clock: () => number;
  /** Returns the reply to a command. */
  reply: (argv: readonly ByteString[], envelope: Envelope) => Reply;
  /** Returns the reply to a unit and its flags. @param reply  the right reply, which a daemon that lies replaces */
  unit: (reply: Reply) => { readonly reply: Reply; readonly flags: ByteString } = (reply) => ({
    reply,
    flags: "",
  });
  /** The number of connected members that it reports, or null if it has no members. */
  members: number | null = null;
  /** The capabilities that it announces. */
  knows: readonly ByteString[] = [KNOWS_SIGNED];
  /** The code and effect with which the daemon refuses every envelope, or null if it refuses only invalid ones. */
  refusal: { code: string; effect: "not-applied" | "unknown" } | null = null;
  readonly applied: Applied[] = [];
  /** The id of each received envelope, including repeated ones. */
  readonly arrived: ByteString[] = [];
  newest: EnvelopeDate = { at: 0, seq: 0 };
  readonly #answers = new Map<ByteString, ByteString>();

  constructor(parts: {
    id: number;
    clock: () => number;
    cluster?: ByteString;
    reply?: (argv: readonly ByteString[], envelope: Envelope) => Reply;
  }) {
    this.id = String.fromCharCode(parts.id).repeat(32);
    this.cluster = parts.cluster ?? "c".repeat(32);
    this.clock = parts.clock;
    this.reply = parts.reply ?? (() => ({ kind: "status", text: "OK" }));
  }

  /** Opens a connection. @returns a function that accepts bytes and returns the frames of the answers */
  connection(): (chunk: Buffer) => Buffer[] {
    const parser = new FrameParser(1 << 26, 2);
    return (chunk) => parser.split(chunk).map((payload) => this.#answer(payload));
  }

  /** Forgets the answers to earlier envelopes, as after a restart. */
  forget(): void {
    this.#answers.clear();
  }

  #answer(payload: Buffer): Buffer {
    const message = readClientMessage(payload);
    const clock = Math.floor(this.clock());
    const { id: daemon, cluster, state, members, knows } = this;
    const answer =
      message.kind === "hello"
        ? writeHello({
            kind: "hello",
            versions: [1, 2],
            daemon,
            cluster,
            clock,
            state,
            role: "daemon",
            members,
            knows,
          })
        : this.#take({ ...message, kind: "command" }, clock);
    return Buffer.from(writeFrame(answer, 2), "latin1");
  }

  #take({ body }: CommandMessage, clock: number): ByteString {
    const id = createHash("sha256").update(signedBytes(body)).digest().toString("latin1");
    this.arrived.push(id);
    // The daemon also stores refusals. Otherwise it could apply a refused envelope later, after its clock was set.
    const answer = this.#answers.get(id) ?? this.#judge(id, readBody(body), clock);
    this.#answers.set(id, answer);
    return answer;
  }

  #judge(id: ByteString, envelope: Envelope, clock: number): ByteString {
    const refuse = (code: string, effect: "not-applied" | "unknown" = "not-applied") =>
      writeRefused({ id, code, sentence: "No.", clock, effect });
    if (this.refusal !== null) return refuse(this.refusal.code, this.refusal.effect);
    if (envelope.cluster !== this.cluster) return refuse("wrong-cluster");
    const { at, seq } = envelope;
    if (at <= clock - WINDOW_PAST_MS || at >= clock + WINDOW_FUTURE_MS) return refuse("skew");

    const replies = envelope.commands.map((argv) => this.reply(argv, envelope));
    this.applied.push({ id, envelope, clock });
    const { newest } = this;
    if (at > newest.at || (at === newest.at && seq > newest.seq)) this.newest = { at, seq };

    const units: readonly Reply[] = envelope.multi ? [{ kind: "array", items: replies }] : replies;
    const bytes = units
      .map((right) => {
        const { reply, flags } = this.unit(right);
        return writeReply(reply) + writeBulk(flags);
      })
      .join("");
    return writeResult({ id, daemon: this.id, clock, newest: this.newest, units: units.length }, bytes);
  }
}
