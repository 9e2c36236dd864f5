/**
 * A client that acquires and releases locks without waiting, for ../decided-programs.test.ts. Arguments: the library, and
 * the ports. Prints "ready", and answers each line of the input (`acquire NAME`, `release NAME`, and `steal NAME`,
 * which releases without having acquired) by whether it succeeded or by its error, as a line of JSON.
 */
import { createInterface } from "node:readline";
import { Redis } from "ioredis";
import Redlock from "redlock";

const LEASE_MS = 600_000;
const [, ...ports] = process.argv.slice(2);
const clients = ports.map((port) => new Redis({ port: Number(port) }));
const redlock = new Redlock(clients, { retryCount: 0 });
const problems = [];
redlock.on("clientError", (problem) => problems.push(problem.message));
const held = new Map();

const CALLS = {
  async acquire(name) {
    const lock = await redlock.lock(name, LEASE_MS);
    held.set(name, lock);
    return true;
  },
  async release(name) {
    await held.get(name).unlock();
    return true;
  },
  async steal(name) {
    const lock = new Redlock.Lock(redlock, name, "another's token", Date.now() + LEASE_MS);
    await lock.unlock();
    return true;
  },
};

await Promise.all(clients.map((client) => client.ping()));
console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  const [call, name] = line.split(" ");
  problems.length = 0;
  const answer = await CALLS[call](name).catch((problem) => {
    if (problem.name !== "LockError") return { error: problem.message };
    return problems.length > 0 ? { error: problems[0] } : false;
  });
  console.log(JSON.stringify(answer));
}
for (const client of clients) client.disconnect();
