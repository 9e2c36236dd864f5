/**
 * A small version 2 daemon for the tests of the examples. It answers hellos, and answers envelopes as the test
 * defines.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { FrameParser } from "../../protocol/frame.js";
import { listenAtFreePort } from "../support/free-port.js";
import { frame, type Resp, raw, resp } from "../support/v2-vectors/scene.js";

export const CLUSTER = Buffer.alloc(32, 7).toString("latin1");

export interface FakeV2 extends AsyncDisposable {
  readonly address: string;
  /** The received messages. */
  readonly messages: Buffer[];
}

export type Answering = (envelope: { id: string; number: number }, socket: Socket) => Resp | null;

export const hello = (clock: number, cluster = CLUSTER, versions = "1 2", knows = "signed"): string[] => [
  ...["hello", versions, "d".repeat(32), cluster, String(clock), "live", "daemon", "", knows],
];

/**
 * Starts a daemon that checks nothing. It answers hellos with `greeting`, and envelopes with `answering`.
 * @param greeting  returns the answer to a hello, or null to close the connection
 * @param isLate  whether the answer to a hello is sent together with the next answer, in one segment
 */
export async function fakeV2(
  greeting: () => Resp | null,
  answering: Answering,
  isLate = false,
): Promise<FakeV2> {
  const sockets = new Set<Socket>();
  const messages: Buffer[] = [];
  let number = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    const parser = new FrameParser(1 << 20, 2);
    const pending: Buffer[] = [];
    socket.on("data", (chunk) => {
      for (const payload of parser.split(chunk)) {
        messages.push(payload);
        const isHello = payload.includes("hello\r\n");
        const reply = isHello ? greeting() : answering(envelopeOf(payload, ++number), socket);
        if (reply !== null) pending.push(frame(resp(reply)));
        else if (isHello) socket.end();
        if (!isHello || !isLate) socket.write(Buffer.concat(pending.splice(0)));
      }
      if (parser.malformed !== null) socket.destroy();
    });
  });
  await listenAtFreePort(server);
  const { port } = server.address() as { port: number };
  return {
    address: `127.0.0.1:${port}`,
    messages,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

function envelopeOf(payload: Buffer, number: number): { id: string; number: number } {
  const head = /^\*3\r\n\$7\r\ncommand\r\n\$(\d+)\r\n/.exec(payload.toString("latin1"));
  assert.ok(head);
  const body = payload.subarray(head[0].length, head[0].length + Number(head[1]));
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(body.length));
  const id = createHash("sha256").update("dbsync2\0command\0").update(length).update(body).digest();
  return { id: id.toString("latin1"), number };
}

export const result = (id: string, reply: string, flags = ""): Resp => {
  const now = String(Date.now());
  return ["result", id, "d".repeat(32), now, `${now} 0`, raw(reply), flags];
};

export const refused = (id: string, code: string, clock: number, effect = "not-applied"): Resp => [
  ...["refused", id, code, "Because.", String(clock), effect],
];
