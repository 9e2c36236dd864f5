/**
 * Version 2: envelopes and hellos in, results, refusals and hellos out; answers go out as they are ready. Only a message
 * that is none closes the connection. Source: docs/protocol-v2.md "Messages".
 */

import { REFUSALS } from "../../engine/answers/refusals.js";
import type { EnvelopeAnswer, RefusedEnvelope } from "../../engine/answers/request.js";
import { noteSlowEnvelope } from "../../engine/slow-log/slow-envelope.js";
import { type ClientDoing, type Closing, closing } from "../../net/connections/dialect.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { MalformedFrame } from "../../protocol/errors.js";
import { writeFrame } from "../../protocol/frame.js";
import { hexOf, NO_KEY, signerOf } from "../../protocol/version-2/envelope.js";
import { firstCommandName } from "../../protocol/version-2/envelope-head.js";
import {
  type ClientMessage,
  type Hello,
  KNOWS_LISTEN,
  KNOWS_SIGNED,
  KNOWS_TRACE,
  KNOWS_UNSIGNED,
  type ListenMessage,
  readClientMessage,
  writeHello,
  writeRefused,
  writeResult,
} from "../../protocol/version-2/messages-v2.js";
import type { ConnectionHost } from "./connection-host.js";
import type { LiveHost, LiveSession } from "./live-session.js";
import { type LiveConnection, liveSessionFor, NOBODY_LISTENS } from "./live-sessions.js";
import { isProof } from "./proof.js";
import type { MembersHello, Session, Spoken } from "./session.js";

const VERSION = 2;
/** Of a key's id, where it has no label. */
const KEY_DIGITS = 12;
/** Of an envelope: its header, and the name of its first command. */
const HEAD_SHOWN_BYTES = 512;
/** Bytes of a result besides its replies; 200 would do. */
const HEAD_BYTES = 1024;
/** Requests of a connection that may wait for their answers, besides those that wait for other daemons. */
const UNANSWERED_MOST = 1024;
/** Answers of a connection that may wait for other daemons; more count as those that do not. */
const WAITING_MOST = 1024;

export class SessionV2 implements Session {
  readonly listener: ConnectionHost["listener"];
  readonly closeAfterAnswer = false;
  isProven = false;
  readonly #host: ConnectionHost;
  readonly #connection: LiveConnection;
  /** A copy of the beginning of the last accepted envelope, made in place; a view would keep its whole chunk in memory. */
  readonly #last = Buffer.allocUnsafeSlow(HEAD_SHOWN_BYTES);
  #lastBytes = 0;
  /** null: its client has not asked to be told anything. */
  #live: LiveSession | null = null;
  #hasServed = false;
  /** How many answers wait for other daemons, which is not to hold up those that do not. */
  #waiting = 0;

  constructor(host: ConnectionHost, connection: LiveConnection) {
    this.listener = host.listener;
    this.#host = host;
    this.#connection = connection;
  }

  get doing(): ClientDoing {
    const body = this.#last.subarray(0, this.#lastBytes);
    const { key = "", label = key.slice(0, KEY_DIGITS) } = this.#signerOf(body);
    return { name: label, command: firstCommandName(body).toLowerCase() };
  }

  get heldBytes(): number {
    return this.#live?.bytes ?? 0;
  }

  gone(): void {
    this.#live?.clear();
  }

  takes(pending: number): boolean {
    return pending - this.#waiting < UNANSWERED_MOST;
  }

  serve(payload: Buffer): Spoken | MembersHello | Promise<Spoken> {
    const isFirst = !this.#hasServed;
    this.#hasServed = true;
    let message: ClientMessage;
    try {
      message = readClientMessage(payload);
    } catch (problem) {
      if (problem instanceof MalformedFrame) return this.malformed(problem.message);
      throw problem;
    }
    if (message.kind === "hello") {
      const isMember = isFirst && message.role === "daemon" && this.#host.members !== null;
      return isMember ? { kind: "members-hello", hello: message } : this.#hello(message);
    }
    if (message.kind === "listen") return this.#listen(message);
    const { body, wait, traceparent } = message;
    const { pipeline, limits, environment, observer } = this.#host;
    const startedAt = environment.uptime();
    const answer = pipeline.take(message, limits.maxOutputBytes - HEAD_BYTES);
    const worked = environment.uptime() - startedAt;
    if (worked >= limits.slowlogTime) this.#noteSlow(body, worked, answer, traceparent);
    if (!(answer instanceof Promise)) {
      observer.answered(worked);
      return this.#speak(answer, body);
    }
    // Who waits for no other daemon waits behind all that proves something; of others the answer tells.
    this.isProven ||= wait === undefined;
    const waits = wait !== undefined && this.#waiting < WAITING_MOST ? 1 : 0;
    this.#waiting += waits;
    return answer.then((one) => {
      this.#waiting -= waits;
      observer.answered(environment.uptime() - startedAt);
      return this.#speak(one, body);
    });
  }

  /** It has held up everybody else for so long; what was refused may be anybody's. */
  #noteSlow(
    body: Buffer,
    milliseconds: number,
    answer: EnvelopeAnswer | Promise<EnvelopeAnswer>,
    traceparent: string | undefined,
  ): void {
    const { slowLog, environment, limits } = this.#host;
    if (slowLog === null || (!(answer instanceof Promise) && answer.kind === "refused")) return;
    const { key = "", label = key.slice(0, KEY_DIGITS) } = this.#signerOf(body);
    const envelope = { body, remote: this.#connection.remote, name: label, milliseconds, traceparent };
    noteSlowEnvelope(slowLog, envelope, { now: environment.clock(), most: limits.slowlogMost });
  }

  malformed(detail: string): Closing {
    const frame = this.#refuse({ kind: "refused", id: "", code: "malformed", detail, effect: "not-applied" });
    return closing("malformed", detail, frame);
  }

  /** Its commands are for this connection alone: whoever sends the same bytes elsewhere is told nothing. */
  #listen({ body, signature }: ListenMessage): Spoken | Promise<Spoken> {
    const { pipeline, live, limits } = this.#host;
    const listener = live === null ? NOBODY_LISTENS : this.#liveOf(live);
    const answer = pipeline.take({ kind: "command", body, signature }, limits.maxOutputBytes, listener);
    return answer instanceof Promise
      ? answer.then((one) => this.#speak(one, body))
      : this.#speak(answer, body);
  }

  #liveOf(host: LiveHost): LiveSession {
    this.#live ??= liveSessionFor(host, this.#host, this.#connection);
    return this.#live;
  }

  #hello({ knows: asked = [] }: Hello): string {
    const { pipeline, environment, daemon, takesVersion1, live } = this.#host;
    const { signers, state } = pipeline;
    const members = pipeline.members ?? undefined;
    const hasKey = !asked.includes(KNOWS_UNSIGNED);
    // Whoever signs is told that there is no key to check by.
    const versions = signers === null && hasKey ? [1] : takesVersion1 ? [1, VERSION] : [VERSION];
    const cluster = signers?.cluster ?? "";
    const clock = environment.clock();
    // Clients of older versions are told nothing that they would not know.
    const words = [
      ...(asked.includes(KNOWS_LISTEN) && live !== null ? [KNOWS_LISTEN] : []),
      ...(asked.includes(KNOWS_TRACE) ? [KNOWS_TRACE] : []),
      ...(hasKey ? [] : [signers === null ? KNOWS_UNSIGNED : KNOWS_SIGNED]),
    ];
    const knows = words.length === 0 ? undefined : words;
    return writeFrame(
      writeHello({ kind: "hello", versions, daemon, cluster, clock, state, role: "daemon", members, knows }),
      VERSION,
    );
  }

  #speak(answer: EnvelopeAnswer, body: Buffer): string {
    this.isProven ||= isProof(answer);
    if (answer.kind === "result") {
      this.#lastBytes = body.copy(this.#last, 0, 0, HEAD_SHOWN_BYTES);
      const { id, units, errors, replies } = answer;
      const { pipeline, environment, daemon, observer } = this.#host;
      observer.served(this.listener, units, errors);
      const head = { id, daemon, clock: environment.clock(), newest: pipeline.newest, units };
      return writeFrame(writeResult(head, replies), VERSION);
    }
    const { code, detail } = answer;
    this.#host.refusals.note(code, { remote: this.#connection.remote, detail, ...this.#signerOf(body) });
    this.#host.observer.refused(this.listener, code);
    return this.#refuse(answer);
  }

  /** For the log: the key that the header names, which with `bad-signature` has signed nothing. */
  #signerOf(body: Buffer): { key?: string; label?: ByteString } {
    try {
      const id = signerOf(body);
      if (id === NO_KEY) return {};
      const label = this.#host.pipeline.signers?.ring.find(id)?.label ?? "";
      return label === "" ? { key: hexOf(id) } : { key: hexOf(id), label };
    } catch (problem) {
      if (problem instanceof MalformedFrame) return {};
      throw problem;
    }
  }

  #refuse({ id, code, effect }: RefusedEnvelope): string {
    const { sentence } = REFUSALS[code];
    const clock = this.#host.environment.clock();
    return writeFrame(writeRefused({ id, code, sentence, clock, effect }), VERSION);
  }
}
