/**
 * What a daemon makes of lone envelopes when clients leave it the machine: they are signed beforehand, by a key for each
 * connection, and one process sends them, one in flight on each connection.
 */
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
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
import { cpuSeconds, type KeyPair, makeKeys, verifySeconds } from "./daemon-cpu.js";
import { startDaemon } from "./processes.js";
import { table } from "./report.js";

const MAX_RESULT_BYTES = 1024 * 1024;
/** Sent before what is measured, so that the daemon's code is compiled then. */
const WARM_UP_SHARE = 1 / 4;
/** Signing all of them takes its time. */
const WINDOW = "300s,5s";

/** One connection of the load, and what it has to send. */
interface Lane {
  readonly socket: Socket;
  readonly parser: FrameParser;
  readonly frames: readonly Buffer[];
}

export async function daemonAlone(load: { connections: number; envelopesEach: number }): Promise<string> {
  const { keys, publicFolder } = makeKeys(load.connections);
  await using daemon = await startDaemon(["-s", publicFolder, "--window", WINDOW]);
  const pid = daemon.process.pid as number;
  const lanes = await Promise.all(keys.map((key) => laneOf(key, daemon.port, load.envelopesEach)));
  const warmUp = Math.floor(load.envelopesEach * WARM_UP_SHARE);
  await Promise.all(lanes.map((lane) => sendAll(lane, 0, warmUp)));
  const verifyBefore = verifySeconds(keys[0] as KeyPair);
  const cpuBefore = cpuSeconds(pid);
  const start = performance.now();
  await Promise.all(lanes.map((lane) => sendAll(lane, warmUp, load.envelopesEach)));
  const seconds = (performance.now() - start) / 1000;
  const cpu = cpuSeconds(pid) - cpuBefore;
  const verifying = (verifyBefore + verifySeconds(keys[0] as KeyPair)) / 2;
  for (const { socket } of lanes) socket.destroy();
  const envelopes = load.connections * (load.envelopesEach - warmUp);
  return text(load.connections, { envelopes, seconds, cpu, verifying });
}

/** Connects, asks for the cluster, and signs. */
async function laneOf(key: KeyPair, port: number, count: number): Promise<Lane> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  const parser = new FrameParser(MAX_RESULT_BYTES, 2);
  const hello = { kind: "hello", versions: [2], daemon: "", cluster: "", clock: Date.now() } as const;
  const answer = nextMessage(socket, parser);
  socket.write(writeFrame(writeHello({ ...hello, state: "", role: "client" }), 2), "latin1");
  const told = await answer;
  if (told.kind !== "hello") throw new Error(`expected a hello, got: ${told.kind}`);
  const keyId = bytesOfHex(fingerprint(key.publicKey), HASH_BYTES) as ByteString;
  const frames: Buffer[] = [];
  for (let i = 0; i < count; i++) {
    const header = { key: keyId, cluster: told.cluster, at: Date.now(), seq: 0 };
    const command = writeCommand(["SET", `key:${keyId.slice(0, 4)}:${i}`, "x".repeat(16)]);
    const body = writeBody({ ...header, nonce: bytesOf(randomBytes(NONCE_BYTES)) }, [command]);
    const signature = await signEnvelopeAside(signedBytes(Buffer.from(body, "latin1")), key.privateKey);
    frames.push(Buffer.from(writeFrame(writeCommandMessage(body, bytesOf(signature)), 2), "latin1"));
  }
  return { socket, parser, frames };
}

function nextMessage(socket: Socket, parser: FrameParser): Promise<DaemonMessage> {
  return new Promise((resolve, reject) => {
    const take = (chunk: Buffer) => {
      const [payload] = parser.push(chunk);
      if (payload === undefined) return;
      socket.off("data", take).off("close", gone);
      resolve(readDaemonMessage(payload));
    };
    const gone = () => reject(new Error("the daemon closed the connection"));
    socket.on("data", take).on("close", gone).on("error", reject);
  });
}

/** One after the other, each when the one before has been answered. */
function sendAll({ socket, parser, frames }: Lane, from: number, to: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let next = from;
    const send = () => socket.write(frames[next++] as Buffer);
    const take = (chunk: Buffer) => {
      for (const payload of parser.push(chunk)) {
        const message = readDaemonMessage(payload);
        if (message.kind !== "result") {
          reject(new Error(`expected a result, got: ${JSON.stringify(message)}`));
          return;
        }
        if (next < to) send();
        else {
          socket.off("data", take);
          resolve();
        }
      }
    };
    socket.on("data", take).on("error", reject);
    send();
  });
}

function text(
  connections: number,
  measured: { envelopes: number; seconds: number; cpu: number; verifying: number },
): string {
  const { envelopes, seconds, cpu, verifying } = measured;
  const share = (envelopes / cpu) * verifying;
  return `## One daemon alone: ${connections} connections, a key each, one envelope of one SET in flight each

Signed beforehand, and sent by one process on the other core.

${table(
  ["", "measured"],
  [
    ["envelopes per second", Math.round(envelopes / seconds)],
    ["one bare verification, µs", verifying * 1e6],
    ["CPU time of the daemon for an envelope, µs", (cpu / envelopes) * 1e6],
    ["envelopes per second of the daemon's CPU time", Math.round(envelopes / cpu)],
    ["share of 1 / verify time", `${(share * 100).toFixed(0)} %`],
  ],
)}

Goal: at least 70 % of 1 / verify time (${share >= 0.7 ? "met" : "missed"}).`;
}
