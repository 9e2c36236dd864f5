/** Sends the recorded requests of memcached 1.6.18 to a server, and compares the answers. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { RawClient } from "../../../test/support/raw-client.js";
import { repositoryRoot } from "../../../test/support/repository.js";
import { VERSION } from "../memcached-session.js";

interface Step {
  readonly send: string;
  readonly answer: string;
  readonly closes?: true;
}

const answers = join(repositoryRoot, "test/vectors/memcached/answers.json");
const STEPS: readonly Step[] = JSON.parse(readFileSync(answers, "utf8"));

/** Compares all recorded answers, byte for byte. */
export async function replay(port: number): Promise<void> {
  for (const { send, answer, closes } of STEPS) {
    using client = await RawClient.open(port);
    client.send(`delete a noreply\r\ndelete b noreply\r\n${send}`);
    // The server answers a client that has sent its last byte, and then closes the connection.
    if (closes === undefined) client.socket.end();
    const reply = await client.readToClose();
    assert.equal(reply.replaceAll(`VERSION ${VERSION}`, "VERSION 0"), answer, JSON.stringify(send));
  }
}
