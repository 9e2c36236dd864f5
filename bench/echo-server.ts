/**
 * A minimal server that answers each chunk with 20 bytes, or with its argument. It shows the cost of one loopback
 * round trip. With `--check public.pem --signed N` it first checks the signature at the beginning of each chunk, over
 * the next N bytes. With `--append FILE` it first appends each chunk to a file opened with O_DSYNC. With `--size N`
 * each request has N bytes, and chunks may begin and end within one. With `--redis PORT` it first sends a SET to the
 * Redis at this port, and answers after Redis.
 */
import { createPublicKey, verify } from "node:crypto";
import { constants, openSync, readFileSync, writeSync } from "node:fs";
import { connect, createServer } from "node:net";
import { parseArgs } from "node:util";

const RSA_SIGNATURE_BYTES = 256;
const ED25519_SIGNATURE_BYTES = 64;
const LINE_FEED = 0x0a;
const SET_COMMAND = "*3\r\n$3\r\nSET\r\n$10\r\nkey:000000\r\n$20\r\nxxxxxxxxxxxxxxxxxxxx\r\n";
const { O_APPEND, O_CREAT, O_DSYNC, O_WRONLY } = constants;

const { values, positionals } = parseArgs({
  options: {
    check: { type: "string" },
    signed: { type: "string" },
    append: { type: "string" },
    size: { type: "string" },
    redis: { type: "string" },
  },
  allowPositionals: true,
});
const reply = Buffer.from(positionals[0] ?? "ds:11:redis:3:OK\0xxx");
const isRight = values.check === undefined ? () => true : checkOf(values.check, Number(values.signed));
const size = values.size === undefined ? null : Number(values.size);
const file =
  values.append === undefined ? null : openSync(values.append, O_APPEND | O_CREAT | O_DSYNC | O_WRONLY);

/** The callbacks of the requests that Redis has not answered, in order. */
const waiting: (() => void)[] = [];
const redis = values.redis === undefined ? null : connect(Number(values.redis), "127.0.0.1").setNoDelay();
redis?.on("data", (chunk) => {
  for (const byte of chunk) if (byte === LINE_FEED) waiting.shift()?.();
});

function checkOf(file: string, length: number): (chunk: Buffer) => boolean {
  const key = createPublicKey(readFileSync(file));
  const isRsa = key.asymmetricKeyType === "rsa";
  const start = isRsa ? RSA_SIGNATURE_BYTES : ED25519_SIGNATURE_BYTES;
  return (chunk) =>
    verify(isRsa ? "sha256" : null, chunk.subarray(start, start + length), key, chunk.subarray(0, start));
}

const server = createServer({ noDelay: true }, (socket) => {
  const answer = (request: Buffer): void => {
    if (!isRight(request)) return void socket.destroy();
    if (file !== null) writeSync(file, request);
    if (redis === null) return void socket.write(reply);
    waiting.push(() => socket.write(reply));
    redis.write(SET_COMMAND);
  };
  let rest: Buffer = Buffer.alloc(0);
  socket.on("data", (chunk) => {
    if (size === null) return answer(chunk);
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    for (; at + size <= bytes.length; at += size) answer(bytes.subarray(at, at + size));
    rest = bytes.subarray(at);
  });
  socket.on("error", () => socket.destroy());
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object") console.log(JSON.stringify({ msg: "listening", port: address?.port }));
});
