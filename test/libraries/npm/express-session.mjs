/** express with express-session. connect-redis stores the sessions with the client "redis". Argument: the port. */
import assert from "node:assert/strict";
import { RedisStore } from "connect-redis";
import express from "express";
import session from "express-session";
import { createClient } from "redis";

const client = createClient({ url: `redis://127.0.0.1:${process.argv[2]}` });
await client.connect();
const store = new RedisStore({ client, prefix: "shop:", ttl: 600 });
const app = express();
app.use(session({ store, secret: "a test's", resave: false, saveUninitialized: false }));
app.get("/", (request, response) => {
  request.session.visits = (request.session.visits ?? 0) + 1;
  response.send(String(request.session.visits));
});
app.get("/out", (request, response) => request.session.destroy(() => response.send("bye")));
const server = await new Promise((resolve) => {
  const listening = app.listen(0, "127.0.0.1", () => resolve(listening));
});

const url = `http://127.0.0.1:${server.address().port}`;
const first = await fetch(url);
const cookie = first.headers.get("set-cookie").split(";")[0];
const visit = async (path = "/") => (await fetch(`${url}${path}`, { headers: { cookie } })).text();
assert.equal(await first.text(), "1");
assert.deepEqual([await visit(), await visit(), await visit()], ["2", "3", "4"]);

const { promisify } = await import("node:util");
const all = promisify(store.all.bind(store));
const length = promisify(store.length.bind(store));
assert.equal(await length(), 1);
const [kept] = await all();
assert.equal(kept.visits, 4);
assert.ok((await client.ttl(`shop:${kept.id}`)) > 0);
assert.equal(await visit("/out"), "bye");
assert.equal(await length(), 0);
assert.equal(await visit(), "1");
await promisify(store.clear.bind(store))();
await new Promise((resolve) => server.close(resolve));
await client.close();
