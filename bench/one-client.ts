/** One of many clients: `one-client SERVERS KEY SECONDS` says "ready", waits for a line, and prints how many calls it made. */
import { createClient } from "../client/entry.js";

const [servers = "", key = "", seconds = "1"] = process.argv.slice(2);
await using client = createClient({ servers, key, versions: "2" });
await client.send("PING");
console.log("ready");
await new Promise((resolve) => process.stdin.once("data", resolve));

const end = performance.now() + Number(seconds) * 1000;
let calls = 0;
while (performance.now() < end) {
  await client.send(["SET", `key:${process.pid}:${calls}`, "x".repeat(16)]);
  calls++;
}
console.log(calls);
