/**
 * A bare socket loop that answers each chunk with 20 bytes, or with its first argument: what one loopback round trip costs, and
 * nothing else. With a public key (a PEM file) and a length it first checks the signature that each chunk begins with, which is made
 * of so many bytes behind it.
 */
import { createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";

const RSA_SIGNATURE_BYTES = 256;
const ED25519_SIGNATURE_BYTES = 64;

const [answer = "ds:11:redis:3:OK\0xxx", pem, signedBytes] = process.argv.slice(2);
const bytes = Buffer.from(answer);
const isRight = pem === undefined ? () => true : checkOf(pem, Number(signedBytes));

function checkOf(file: string, length: number): (chunk: Buffer) => boolean {
  const key = createPublicKey(readFileSync(file));
  const isRsa = key.asymmetricKeyType === "rsa";
  const start = isRsa ? RSA_SIGNATURE_BYTES : ED25519_SIGNATURE_BYTES;
  return (chunk) =>
    verify(isRsa ? "sha256" : null, chunk.subarray(start, start + length), key, chunk.subarray(0, start));
}

const server = createServer({ noDelay: true }, (socket) => {
  socket.on("data", (chunk) => (isRight(chunk) ? socket.write(bytes) : socket.destroy()));
  socket.on("error", () => socket.destroy());
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object") console.log(JSON.stringify({ msg: "listening", port: address?.port }));
});
