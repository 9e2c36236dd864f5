/** Fake daemons without sockets and signatures. They greet clients, and serve subscriptions as a test configures. */

import { Live, type Subscription } from "../../../client/live/subscriptions.js";
import type { Environment, SocketEvents } from "../../../client/shared/client-environment.js";
import type { Seal } from "../../../client/shared/sealer.js";
import { parseServers } from "../../../client/shared/server-list.js";
import { FrameParser, writeFrame } from "../../../protocol/frame.js";
import { integer } from "../../../protocol/reply.js";
import { writeBulk, writeReply } from "../../../protocol/resp/resp-writer.js";
import { type Envelope, readBody } from "../../../protocol/version-2/envelope.js";
import {
  KNOWS_LISTEN,
  KNOWS_SIGNED,
  readClientMessage,
  writeHello,
  writeRefused,
  writeResult,
} from "../../../protocol/version-2/messages-v2.js";
import { HandClock } from "../hand-clock.js";

const DAEMON = "d".repeat(32);
const CLUSTER = "c".repeat(32);

export class Listened {
  readonly clock = new HandClock();
  /** The number of connections so far. */
  connections = 0;
  /** The code with which envelopes are refused, or null if they are accepted. */
  refusal: string | null = null;
  readonly asked: Envelope[] = [];
  /** The pending seals, each of which the test releases, or null if envelopes are sealed immediately. */
  sealing: (() => void)[] | null = null;
  readonly live: Live;
  #seals = 0;

  constructor(servers: string) {
    const environment: Environment = {
      ...this.clock.environment,
      openSocket: (_, events) => this.#open(events),
    };
    this.live = new Live({ servers: parseServers(servers), cluster: "" }, environment, {
      keyId: "k".repeat(32),
      nonce: () => "n".repeat(16),
      seal: null,
      sealAsync: () => this.#seal(),
    });
  }

  #seal(): Promise<Seal> {
    const id = String(++this.#seals).padStart(32);
    const seal = { signature: Buffer.from(id), id };
    const { sealing } = this;
    if (sealing === null) return Promise.resolve(seal);
    return new Promise((resolve) => sealing.push(() => resolve(seal)));
  }

  #open(events: SocketEvents) {
    this.connections++;
    const parser = new FrameParser(1 << 20, 2);
    let isOpen = true;

    const answer = (message: string) =>
      setImmediate(() => {
        if (isOpen) events.received(Buffer.from(writeFrame(message, 2), "latin1"));
      });

    setImmediate(() => events.opened());
    return {
      unsentBytes: () => 0,
      destroy() {
        isOpen = false;
      },
      write: (bytes: Buffer) => {
        for (const payload of parser.split(bytes)) {
          const message = readClientMessage(payload);
          if (message.kind === "hello") answer(HELLO);
          else if (message.kind === "listen")
            answer(this.#answer(readBody(message.body), message.signature.toString("latin1")));
        }
      },
    };
  }

  #answer(envelope: Envelope, id: string): string {
    this.asked.push(envelope);
    const { refusal: code } = this;
    if (code !== null) return writeRefused({ id, code, sentence: "no", clock: 0, effect: "not-applied" });
    const units = envelope.commands.length;
    const reply = writeReply(integer(1)) + writeBulk("");
    return writeResult(
      { id, daemon: DAEMON, clock: 0, newest: { at: 0, seq: 0 }, units },
      reply.repeat(units),
    );
  }
}

const HELLO = writeHello({
  ...({ kind: "hello", versions: [2], daemon: DAEMON, cluster: CLUSTER, clock: 0, state: "live" } as const),
  ...({ role: "daemon", members: 0, knows: [KNOWS_SIGNED, KNOWS_LISTEN] } as const),
});

export const channel = (name: string): Subscription => ({
  word: "SUBSCRIBE",
  name,
  db: 0,
  topic: `message ${name}`,
  read: () => null,
});
