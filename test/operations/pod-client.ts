/**
 * A client that writes until its standard input ends, one write after the other: keys that it never writes again, a
 * counter, and locks that no other client takes. Prints each number of a write that was acknowledged, and at the end
 * what was refused.
 * Arguments: servers, file of the private key, file of the authorities.
 */
import { setTimeout as pause } from "node:timers/promises";
import { createClient } from "../../client/dbsync-send.js";
import type { DbsyncError } from "../../client/shared/errors.js";

const [servers = "", key = "", ca = ""] = process.argv.slice(2);
/** Milliseconds between two writes. */
const EVERY_MS = 20;
/** The longest deadline of a call in milliseconds: a busy machine answers late. */
const TIMEOUT_MS = 20_000;

let isEnded = false;
process.stdin.on("end", () => (isEnded = true)).resume();

const client = createClient({ servers, key, ca, timeout: TIMEOUT_MS });
const failures: string[] = [];

async function send(command: readonly string[], expected: unknown): Promise<void> {
  try {
    const answer = await client.call(command);
    if (expected !== undefined && answer !== expected) failures.push(`${command.join(" ")}: ${answer}`);
  } catch (error) {
    fail(command, error as DbsyncError);
  }
}

function fail(command: readonly string[], { message, code }: DbsyncError): void {
  failures.push(`${new Date().toISOString()} ${command.join(" ")}: ${code} ${message}`);
}

/**
 * Takes a lock that no other client takes. If a member is lost during a decision, its effect may be unknown: the client
 * then requests the lock again, and the reply is OK or null.
 */
async function take(lock: string): Promise<void> {
  const command = ["SET", lock, "taken", "NX"];
  for (let mayBeTaken = false; ; mayBeTaken = true)
    try {
      const answer = await client.call(command);
      if (answer !== "OK" && !(mayBeTaken && answer === null))
        failures.push(`${command.join(" ")}: ${answer}`);
      return;
    } catch (error) {
      if ((error as DbsyncError).effect === "unknown") continue;
      fail(command, error as DbsyncError);
      return;
    }
}

let number = 0;
for (; !isEnded; number++) {
  await send(["SET", `key:${number}`, String(number)], "OK");
  await send(["INCR", "counter"], undefined);
  if (number % 10 === 0) await take(`lock:${number}`);
  process.stdout.write(`${number}\n`);
  await pause(EVERY_MS);
}
process.stdout.write(`${JSON.stringify({ count: number, failures })}\n`);
await client.close();
