/**
 * Two servers of socket.io, each at a daemon of its own and with a client of its own, query each other with one of the
 * adapters. Arguments: the adapter, then the ports. Writes what each server found to stdout, as a line of JSON.
 */
import { createServer } from "node:http";
import { createAdapter, createShardedAdapter } from "@socket.io/redis-adapter";
import { createAdapter as createStreamsAdapter } from "@socket.io/redis-streams-adapter";
import { Redis } from "ioredis";
import { Server } from "socket.io";
import { io } from "socket.io-client";

/** Milliseconds after which the adapters give up. The default is 5 s, which a busy machine may exceed. */
const WAIT_MS = 20_000;
/** Milliseconds after which both servers should count each other. */
const COUNTED_MS = 5_000;

const ADAPTERS = {
  redis: (open) => createAdapter(open(), open(), { requestsTimeout: WAIT_MS }),
  "sharded redis": (open) => createShardedAdapter(open(), open()),
  "sharded redis, static": (open) => createShardedAdapter(open(), open(), { subscriptionMode: "static" }),
  streams: (open) => createStreamsAdapter(open()),
  "streams, sharded": (open) => createStreamsAdapter(open(), { useShardedPubSub: true }),
};

const [name, ...ports] = process.argv.slice(2);

async function startServer(port) {
  const http = createServer();
  const adapter = ADAPTERS[name](() => new Redis({ port: Number(port), maxRetriesPerRequest: null }));
  const server = new Server(http, { adapter });
  server.on("connection", (socket) => socket.join("kitchen"));
  server.on("question", (answer) => answer(port));
  await new Promise((resolve) => http.listen(0, "127.0.0.1", resolve));
  return { server, http, url: `http://127.0.0.1:${http.address().port}` };
}

const pause = () => new Promise((resolve) => setTimeout(resolve, 50));

/** Waits until both servers receive each other's messages and, for a limited time, until each one counts both. */
async function untilConnected(servers, sockets) {
  const received = [0, 0];
  for (const [index, socket] of sockets.entries())
    socket.on("ready", (from) => (received[index] |= 1 << from));
  while (received.some((senders) => senders !== 3)) {
    for (const [index, { server }] of servers.entries()) server.emit("ready", index);
    await pause();
  }
  const end = performance.now() + COUNTED_MS;
  for (const { server } of servers)
    while ((await server.of("/").adapter.serverCount()) < servers.length && performance.now() < end)
      await pause();
}

const servers = await Promise.all(ports.map(startServer));
const sockets = servers.map(({ url }) => io(url, { transports: ["websocket"] }));
for (const socket of sockets) socket.on("hello", (answer) => answer("here"));
await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once("connect", resolve))));
await untilConnected(servers, sockets);

const countOf = (call) =>
  call.then(
    (found) => found.length,
    (problem) => problem.responses?.length ?? String(problem),
  );
const figures = [];
for (const { server } of servers)
  figures.push({
    servers: await server.of("/").adapter.serverCount(),
    fetchSockets: await countOf(server.in("kitchen").fetchSockets()),
    serverSideEmitWithAck: await countOf(server.serverSideEmitWithAck("question")),
    emitWithAck: await countOf(server.in("kitchen").timeout(WAIT_MS).emitWithAck("hello")),
  });
console.log(JSON.stringify(figures));
process.exit(0);
