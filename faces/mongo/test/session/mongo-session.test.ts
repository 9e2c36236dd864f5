/** Tests which copies a write of a MongoDB client waits for, and what the connection's later writes follow. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BSON } from "mongodb";
import type {
  CommandPath,
  CommandSender,
  LastWrite,
} from "../../../../daemon/engine/backends/command-path.js";
import type { MemoryLimit } from "../../../../daemon/engine/memory/memory-limit.js";
import { realEnvironment } from "../../../../daemon/net/process/clock-and-randomness.js";
import type { OrderKey } from "../../../../daemon/timeline/entries/entry.js";
import { OK } from "../../../../protocol/reply.js";
import { double } from "../../../../test/support/double.js";
import { Users } from "../../../users/users.js";
import { CommandDocument } from "../../messages/command-document.js";
import type { MongoServer } from "../../session/mongo-server.js";
import { MongoSession } from "../../session/mongo-session.js";

const keyAt = (at: number): OrderKey => ({ at, seq: 0, id: String(at) });

test("a write that waits for copies follows the connection's earlier writes, and waits only for its own", async () => {
  const waited: (OrderKey | null)[] = [];
  const senders: (LastWrite | undefined)[] = [];
  /** The position at which the next write is recorded; null: it changes nothing. */
  let next: OrderKey | null = null;
  const path = double<CommandPath>({
    execute: (_command, _argv, { lastWrite }: CommandSender) => {
      senders.push(lastWrite);
      if (lastWrite !== undefined && next !== null) lastWrite.orderKey = next;
      return OK;
    },
  });
  const server = double<MongoServer>({
    host: {
      users: new Users(null),
      memory: double<MemoryLimit>({ isFull: false }),
      path,
      environment: realEnvironment,
    },
    daemon: {
      members: 3,
      settings: { data: null, fsync: "always", peers: [{}, {}] },
      copies: {
        isAlone: false,
        count: () => 0,
        wait: ({ orderKey }, done) => {
          waited.push(orderKey);
          done();
          return () => {};
        },
      },
    },
  });
  const session = new MongoSession(server, new Map(), { remote: "127.0.0.1:1", id: 1, isPrivate: false });
  const write = async (at: OrderKey | null, writeConcern?: object) => {
    next = at;
    const command = new CommandDocument(Buffer.from(BSON.serialize({ insert: "a", ...writeConcern })));
    await session.write(command, ["SET", "a", "1"], () => "");
  };

  await write(keyAt(1));
  assert.deepEqual(waited, []);
  await write(keyAt(2), { writeConcern: { w: 2 } });
  assert.deepEqual(waited, [keyAt(2)]);
  await write(null, { writeConcern: { w: 2 } });
  assert.deepEqual(waited, [keyAt(2)], "nothing was written");
  assert.equal(new Set(senders).size, 1);
  assert.deepEqual(senders[0]?.orderKey, keyAt(2));
});
