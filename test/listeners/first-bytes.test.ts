/** Clients of other protocols that carry lines which an attacker chose: no listener takes one of them for a request. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { OPTIONS } from "../../options/table.js";
import { makeFolder, startReplica } from "../daemon/replicas.js";
import { answerUntilClosed, clientHello } from "../support/client-hello.js";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { RedisConnection } from "../support/redis-connection.js";

/** By listener, lines each of which would write. */
const WRITES = {
  resp: "SET stolen 1",
  memcached: "set stolen 0 0 1\r\nx",
  json: '["set","stolen",{"a":1}]',
  sql: ";manamboara tahiry stolen;",
} as const;
type Name = keyof typeof WRITES;
const NAMES = Object.keys(WRITES) as Name[];

let daemon: DaemonProcess;
before(async () => {
  daemon = await startDaemon(NAMES.flatMap((name) => [`--${name}`, "0"]));
});
after(async () => await daemon[Symbol.asyncDispose]());

async function portOf(name: Name): Promise<number> {
  return (await daemon.logged(({ msg }) => msg === `serving ${OPTIONS[name].clients} clients`))[
    "port"
  ] as number;
}

const answerTo = async (name: Name, bytes: Buffer | string) =>
  await answerUntilClosed(await portOf(name), bytes);

async function keysOf(): Promise<number> {
  using client = await RedisConnection.open(await portOf("resp"));
  client.queue(["DBSIZE"]);
  const [reply] = await client.flush();
  return reply?.kind === "integer" ? Number(reply.value) : Number.NaN;
}

for (const name of NAMES) {
  test(`${name}: a TLS client is closed, and no line within its first message is carried out`, async () => {
    assert.equal(await answerTo(name, await clientHello(WRITES[name])), "");
    assert.equal(await keysOf(), 0);
  });

  test(`${name}: no line of an HTTP request is carried out`, async () => {
    const body = `${WRITES[name]}\r\n`;
    for (const head of ["POST / HTTP/1.1", "POST /;x HTTP/1.1", "PUT /a HTTP/1.1"]) {
      const request = `${head}\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      assert.doesNotMatch(await answerTo(name, request), /OK|STORED|voaforona|"ok"/i, head);
      assert.equal(await keysOf(), 0, head);
    }
  });

  test(`${name}: first bytes that begin no text close the connection`, async () => {
    const isBinary = (byte: number) => name === "memcached" && byte === 0x80;
    for (const byte of [0x01, 0x16, 0x1b, 0x7f, 0x80, 0xc0, 0xff].filter((one) => !isBinary(one))) {
      const bytes = Buffer.concat([Buffer.of(byte), Buffer.from(`\r\n${WRITES[name]}\r\n`)]);
      assert.equal(await answerTo(name, bytes), "", `0x${byte.toString(16)}`);
    }
    assert.equal(await keysOf(), 0);
  });
}

test("a daemon reports TLS at a listener of text, and carries out no line of it", async () => {
  using folder = makeFolder();
  await using replica = await startReplica({ args: ["--memcached", "0", "--data", folder.path] });
  const port = replica.daemon.userAddress("memcached")?.port ?? 0;
  const hello = await clientHello(WRITES.memcached);
  assert.equal(await answerUntilClosed(port, Buffer.concat([hello, Buffer.from("\r\nquit\r\n")])), "");
  const line = replica.log.find(({ reason }) => reason === "malformed");
  assert.match(String(line?.["detail"]), /first byte is 0x16: TLS, to a port that speaks none/);
  assert.equal(await answerUntilClosed(port, "get stolen\r\nquit\r\n"), "END\r\n");
});
