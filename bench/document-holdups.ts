/** How long others wait while one client asks the JSON listener for much: PING on a connection of its own, one after the other. */
import { connect } from "node:net";
import { freePort } from "../test/support/free-port.js";
import { RedisConnection } from "../test/support/redis-connection.js";
import { entryOf } from "./document-entries.js";
import { startTimed, turnsOf } from "./probed-daemon.js";
import { table } from "./report.js";

const GOAL_MS = 10;
const CR = 0x0d;
const PIPELINED = 100;

interface Sizes {
  readonly documents: number;
  readonly entries: number;
  readonly valueBytes: number;
}

/** Sends a line and waits for the end of the answer, without looking at it: that would hold up the pings, not the server. */
function exchange(port: number, line: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    let bytes = 0;
    const socket = connect(port, "127.0.0.1", () => socket.write(line));
    socket.on("error", reject).on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (chunk[chunk.length - 1] !== CR) return;
      socket.destroy();
      resolve(bytes);
    });
  });
}

const lineOf = (request: unknown) => Buffer.from(`${JSON.stringify(request)}\n`, "latin1");

/** @returns milliseconds of the longest ping */
async function longestPing(pinger: RedisConnection, task: Promise<unknown>): Promise<number> {
  let isDone = false;
  const done = task.finally(() => {
    isDone = true;
  });
  let longest = 0;
  while (!isDone) {
    const before = performance.now();
    await pinger.call("PING");
    longest = Math.max(longest, performance.now() - before);
  }
  await done;
  return longest;
}

async function fillEmpty(connection: RedisConnection, count: number): Promise<void> {
  for (let from = 0; from < count; from += PIPELINED) {
    for (let at = from; at < from + PIPELINED; at++) connection.queue(["DOC.CREATE", `document:${at}`]);
    await connection.flush();
  }
}

async function fill(connection: RedisConnection, document: string, count: number): Promise<void> {
  await connection.call("DOC.CREATE", document);
  for (let from = 0; from < count; from += PIPELINED) {
    const entries = Array.from({ length: PIPELINED }, (_, at) => JSON.stringify(entryOf(from + at, count)));
    await connection.call("DOC.INSERT", document, ...entries);
  }
}

export async function documentHoldups({ documents, entries, valueBytes }: Sizes): Promise<string> {
  const [port, respPort] = [await freePort(), await freePort()];
  const sizes = ["--max-request-bytes", "64MiB"];
  await using server = await startTimed(["--json", String(port), "--resp", String(respPort), ...sizes]);
  using worker = await RedisConnection.open(respPort);
  using pinger = await RedisConnection.open(respPort);
  const rows: string[][] = [];
  const measure = async (what: string, line: Buffer) => {
    await turnsOf(server);
    let bytes = 0;
    const longest = await longestPing(
      pinger,
      exchange(port, line).then((length) => {
        bytes = length;
      }),
    );
    const { longestCpu } = await turnsOf(server);
    const isMet = longestCpu <= GOAL_MS;
    rows.push([
      `${what} (${(bytes / 2 ** 20).toFixed(0)} MiB)`,
      ...[longest.toFixed(0), longestCpu.toFixed(0), `≤ ${GOAL_MS} (${isMet ? "met" : "missed"})`],
    ]);
  };
  await measure("nothing much", lineOf({ action: "count", document: "none" }));
  await fill(worker, "people", entries);
  await measure(`whole document, ${entries} entries`, lineOf({ action: "get", document: "people" }));
  const half = { age: { $lt: 45 } };
  await measure("a condition that hits half", lineOf({ action: "get", document: "people", where: half }));
  await measure("count of the same", lineOf({ action: "count", document: "people", where: half }));
  await measure("sorted", lineOf({ action: "get", document: "people", sort: "email" }));
  await measure("getall", lineOf({ action: "getall" }));
  const data = [{ name: "x".repeat(valueBytes), email: "", age: 0, group: 0 }];
  await worker.call("DOC.CREATE", "long");
  await measure(
    `insert of a value of ${valueBytes} bytes`,
    lineOf({ action: "insert", document: "long", data }),
  );
  await measure("get of the same", lineOf({ action: "get", document: "long" }));
  await worker.call("FLUSHALL");
  await fillEmpty(worker, documents);
  await measure(`list of ${documents} documents`, lineOf({ action: "list" }));
  await measure("getall of the same", lineOf({ action: "getall" }));
  return table(["meanwhile", "longest PING, ms", "longest turn, CPU ms", "goal, CPU"], rows);
}
