/** Tests which connection is closed if there are too many unauthenticated ones. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { MemberConnection } from "../../../../../daemon/cluster/peers/connections/member-connection.js";
import {
  Handshakes,
  subnetOf,
} from "../../../../../daemon/cluster/peers/connections/unauthenticated-connections.js";
import type { MemberSocket } from "../../../../../daemon/cluster/peers/shared/member-socket.js";
import { PEERING_LIMITS } from "../../../../../daemon/cluster/peers/shared/peering-limits.js";
import { type Hello, memberKnows } from "../../../../../protocol/version-2/messages-v2.js";
import { CLUSTER, EPOCH, keyOf } from "../entries.js";
import { World } from "../support.js";

const from = (remote: string) => ({ remote }) as MemberConnection;

test("a daemon closes the oldest handshake of a full address or, if none is full, of the busiest one", () => {
  const handshakes = new Handshakes({ ...PEERING_LIMITS, maxHandshakes: 5, maxHandshakesOfAddress: 3 });
  const crowd = ["1", "2", "3", "4"].map((port) => from(`192.0.2.1:${port}`));
  const [first, second] = crowd;

  assert.deepEqual(
    crowd.map((one) => handshakes.add(one)),
    [null, null, null, first],
  );
  assert.equal(handshakes.add(from("192.0.2.2:1")), null);
  assert.equal(handshakes.add(from("192.0.2.3:1")), null);
  assert.equal(handshakes.size, 5);

  const other = from("192.0.2.2:2");
  assert.equal(handshakes.add(other), second);
  handshakes.delete(other);
  handshakes.delete(other);
  assert.equal(handshakes.size, 4);
  assert.equal([...handshakes].length, 4);
});

test("handshakes are counted by IPv4 address or IPv6 subnet, which a peer cannot choose freely", () => {
  const subnets: Record<string, string> = {
    "192.0.2.1:40000": "192.0.2.1",
    "::ffff:192.0.2.1:40000": "192.0.2.1",
    "[::1]:5": "0:0:0:0",
    "::1:5": "0:0:0:0",
    "2001:db8:1:2:3:4:5:6:40000": "2001:db8:1:2",
    "2001:0db8:1:2::9:40000": "2001:db8:1:2",
    "2001:db8::9:40000": "2001:db8:0:0",
    "fe80::1%eth0:40000": "fe80:0:0:0",
    "2001:db8:1:2:3:4:5:::40000": "2001:db8:1:2",
  };
  for (const [remote, subnet] of Object.entries(subnets)) assert.equal(subnetOf(remote), subnet, remote);
});

/** A client that sends a hello in a member's name, and nothing else. */
class Idler implements MemberSocket {
  readonly binding = null;
  readonly remote = "127.0.0.1:4000";
  isClosed = false;
  write(): void {}
  close(): void {
    this.isClosed = true;
  }
  unsentBytes(): number {
    return 0;
  }
}

test("a member that restarts is connected although an attacker idles in its name and reconnects immediately", () => {
  const limits = { maxHandshakes: 30, maxHandshakesOfAddress: 30 };
  const world = new World();
  const a = world.add("a", { peers: ["b"], limits });
  const idlers: Idler[] = [];
  const hello: Hello = {
    ...({ kind: "hello", versions: [2], daemon: keyOf("b").id, cluster: CLUSTER, clock: EPOCH } as const),
    ...({ state: "live", role: "daemon", members: null, knows: memberKnows() } as const),
  };

  const reopen = () => {
    for (const [i, idler] of idlers.entries()) if (idler.isClosed) idlers.splice(i, 1);
    while (idlers.length < 90) {
      const idler = new Idler();
      a.peering.accept(idler, hello);
      idlers.push(idler);
    }
  };

  world.run(100);
  reopen();
  for (let start = 0; start < 20; start++) {
    world.add("b", { peers: ["a"] });
    world.run(25);
    reopen();
    assert.ok(
      a.peering.members.some(({ connection }) => connection === "connected"),
      `start ${start}`,
    );
    world.kill("b");
    world.run(50);
  }
});
