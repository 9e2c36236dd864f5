/** --json-replica: how a daemon finds out whose the connections are that others have opened. */
import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import { until } from "../../daemon/replicas.js";
import { listenAtFreePort } from "../../support/free-port.js";
import { RawClient } from "../../support/raw-client.js";
import { ask, startJson } from "./scene.js";

const CALLERS = 50;
/** Much longer than any test takes. */
const PATIENT = { limits: { jsonReplicaTimeout: 60_000 } };
const DONE = { status: "success" };
const CLAIM = { term: 0, place: 0, since: 9e14, id: "member" };
const MET = {
  ...DONE,
  id: "member",
  claim: CLAIM,
  counts: {},
  isProven: true,
  isListed: true,
  writes: [],
  hasForgotten: false,
  isLevel: true,
};

interface Told {
  readonly does?: string;
  readonly mark?: string;
}

interface Asked {
  readonly socket: Socket;
  readonly mark: string;
}

/** A server of the list. Who asks whether a connection is its own waits until he is told. */
async function startListed() {
  const asked: Asked[] = [];
  const sockets = new Set<Socket>();
  const answer = (socket: Socket, said: object) => socket.write(`${JSON.stringify(said)}\n\r`);
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => {}).on("close", () => sockets.delete(socket)));
    let held = "";
    socket.setEncoding("latin1").on("data", (piece) => {
      held += piece;
      for (let end = held.indexOf("\n"); end >= 0; end = held.indexOf("\n")) {
        const { does, mark = "" } = JSON.parse(held.slice(0, end)) as Told;
        held = held.slice(end + 1);
        if (does === "vouch") asked.push({ socket, mark });
        else answer(socket, does === "meet" ? MET : does === "list" ? { ...DONE, names: [] } : DONE);
      }
    });
  });
  await listenAtFreePort(server);
  return {
    port: (server.address() as { port: number }).port,
    asked,
    /** Connections that somebody asks by. */
    get open(): number {
      return new Set(asked.map(({ socket }) => socket).filter((socket) => sockets.has(socket))).size;
    },
    tell(isMine: (mark: string) => boolean) {
      for (const { socket, mark } of asked.splice(0))
        answer(socket, { ...DONE, id: "member", isMine: isMine(mark) });
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

const meetAs = (client: RawClient, id: string, mark: string) =>
  ask(client, { action: "replica", does: "meet", id, claim: { ...CLAIM, id }, counts: {}, mark });

async function openMany(port: number): Promise<readonly RawClient[] & Disposable> {
  const clients = await Promise.all(Array.from({ length: CALLERS }, () => RawClient.open(port)));
  return Object.assign(clients, {
    [Symbol.dispose]() {
      for (const client of clients) client[Symbol.dispose]();
    },
  });
}

test("whoever calls, a server of the list is asked by one connection, and each is told what is said of him", async () => {
  await using listed = await startListed();
  await using ours = await startJson({ ...PATIENT, replicas: [listed.port] });
  using clients = await openMany(ours.port);
  for (let round = 0; round < 3; round++) {
    const answers = clients.map((client, n) => meetAs(client, "member", `${round}-${n}`));
    await until("all are asked about", async () => listed.asked.length === CALLERS);
    assert.equal(listed.open, 1);
    listed.tell((mark) => mark === `${round}-7`);
    const proven = (await Promise.all(answers)).map((text) => text.includes('"isProven":true'));
    // Who is proven is asked about no more, so each calls by another mark next time.
    assert.deepEqual(
      proven.map((is, n) => (is ? n : -1)).filter((n) => n >= 0),
      [7],
    );
  }
});

test("where that connection is lost nobody is proven, and the next one who calls opens another", async () => {
  await using listed = await startListed();
  await using ours = await startJson({ ...PATIENT, replicas: [listed.port] });
  using clients = await openMany(ours.port);
  const answers = clients.map((client, n) => meetAs(client, "member", `first-${n}`));
  await until("all are asked about", async () => listed.asked.length === CALLERS);
  for (const { socket } of listed.asked.splice(0)) socket.destroy();
  for (const text of await Promise.all(answers)) assert.match(text, /"isProven":false/);
  const again = meetAs(clients[0] as RawClient, "member", "second");
  await until("it is asked about", async () => listed.asked.length === 1);
  listed.tell(() => true);
  assert.match(await again, /"isProven":true/);
});

test("a mark that is longer than any is asked about nowhere", async () => {
  await using listed = await startListed();
  await using ours = await startJson({ ...PATIENT, replicas: [listed.port] });
  using client = await RawClient.open(ours.port);
  assert.match(await meetAs(client, "member", "x".repeat(100_000)), /"isProven":false/);
  assert.equal(listed.asked.length, 0);
});
