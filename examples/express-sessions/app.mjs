/**
 * An Express application that stores its sessions in dbsyncd with connect-redis. REDIS_URLS lists the `--resp` ports
 * of the daemons, separated by commas. If the current daemon is down, hangs or refuses a command, the application
 * uses the next one. All daemons have the sessions.
 */
import { RedisStore } from "connect-redis";
import express from "express";
import session from "express-session";
import { createClient } from "redis";

const { REDIS_URLS = "redis://127.0.0.1:6379,redis://127.0.0.1:6380", PORT = "3000", SECRET } = process.env;
if (!SECRET) throw new Error("SECRET is not set. Choose a long random text: it signs the cookies.");

/** A client for each daemon. It reconnects automatically. While it is disconnected, commands fail immediately. */
const clients = REDIS_URLS.split(",").map((url) => {
  const client = createClient({
    url,
    disableOfflineQueue: true,
    // A daemon that does not answer pings for 3 s is considered lost.
    pingInterval: 1_000,
    socket: { connectTimeout: 3_000, socketTimeout: 3_000, reconnectStrategy: () => 500 },
  });
  client.on("error", (error) => console.error(`${url}: ${error.message}`));
  return client;
});
await Promise.any(clients.map((client) => client.connect()));

/** The clients, the current one first. The order changes only when a command fails. */
let order = clients;

/** Runs a command on the first daemon that answers. All commands of the store may safely be executed twice. */
async function run(name, args) {
  let problem;
  for (const client of order) {
    try {
      const result = await client[name](...args);
      if (problem) order = [client, ...order.filter((other) => other !== client)];
      return result;
    } catch (reason) {
      problem = reason;
    }
  }
  throw problem;
}

/** The client object for connect-redis. */
const client = Object.fromEntries(
  ["get", "set", "expire", "del"].map((name) => [name, (...args) => run(name, args)]),
);

const app = express();
const store = new RedisStore({ client, prefix: "session:", ttl: 86_400 });
app.use(session({ store, secret: SECRET, resave: false, saveUninitialized: false }));
app.get("/", (request, response) => {
  request.session.visits = (request.session.visits ?? 0) + 1;
  response.send(`visits: ${request.session.visits}\n`);
});
app.get("/logout", (request, response) => request.session.destroy(() => response.send("bye\n")));
const server = app.listen(Number(PORT), "127.0.0.1", () => console.log(`port ${server.address().port}`));
