/** Two servers with one client each: the clients share a room, and the servers query each other. Argument: the port. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-adapter";
import { Redis } from "ioredis";
import { Server } from "socket.io";
import { io } from "socket.io-client";

const port = Number(process.argv[2]);

async function startServer() {
  const clients = [new Redis({ port }), new Redis({ port })];
  const http = createServer();
  const server = new Server(http, { adapter: createAdapter(...clients, { requestsTimeout: 100_000 }) });
  server.on("connection", (socket) => {
    socket.on("join", (room, done) => done(socket.join(room)));
    socket.on("say", (room, words) => socket.to(room).emit("said", words));
    socket.on("ask", (answer) => answer("here"));
  });
  await new Promise((resolve) => http.listen(0, "127.0.0.1", resolve));
  // Each server receives the other one's requests, so it counts both servers.
  const all = () => server.of("/").adapter.serverCount();
  return { server, all, url: `http://127.0.0.1:${http.address().port}`, end: () => end(server, clients) };
}

async function end(server, clients) {
  await server.close();
  for (const client of clients) client.disconnect();
}

const servers = [await startServer(), await startServer()];
const until = async (isTrue) => {
  while (!(await isTrue())) await new Promise((resolve) => setTimeout(resolve, 20));
};
for (const { all } of servers) await until(async () => (await all()) === 2);

const sockets = servers.map(({ url }) => io(url, { transports: ["websocket"] }));
await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once("connect", resolve))));
await Promise.all(sockets.map((socket) => socket.emitWithAck("join", "kitchen")));

const heard = new Promise((resolve) => sockets[1].once("said", resolve));
sockets[0].emit("say", "kitchen", "dinner is ready");
assert.equal(await heard, "dinner is ready");

const everybody = await servers[0].server.in("kitchen").fetchSockets();
assert.deepEqual(everybody.map(({ id }) => id).toSorted(), sockets.map(({ id }) => id).toSorted());

const bytes = Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once("said", resolve))));
servers[1].server.emit("said", Buffer.from([0, 255, 10, 13]));
for (const one of await bytes) assert.deepEqual([...one], [0, 255, 10, 13]);

servers[0].server.in("kitchen").disconnectSockets();
await until(() => sockets.every(({ connected }) => !connected));
for (const socket of sockets) socket.close();
await Promise.all(servers.map((each) => each.end()));
