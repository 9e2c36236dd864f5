/**
 * The rules for the acknowledgement of a unit with conditions, and for a client's own writes, each broken in one
 * position.
 */
import type { Mutant } from "./mutant.js";

const POLICY = "client/shared/policy.js";
const SESSION = "client/version-2/session.js";
const STANDING = "cluster/peers/standing-still.js";
const SESSIONS = "test/client/version-2/session.test.js";
const STANDING_STILL = "test/cluster/peers/standing-still.test.js";

export const acknowledgedMutants: readonly Mutant[] = [
  {
    name: "conditions: one daemon's outcome is the client's",
    file: POLICY,
    find: "2 * count > reports.length",
    replace: "count > 0",
  },
  {
    name: "conditions: without a policy the first answer counts",
    file: POLICY,
    find: 'hasConditions ? "outcome" : "first"',
    replace: '"first"',
    test: "test/client/shared/policy.test.js",
  },
  {
    name: "conditions: late answers count",
    file: POLICY,
    find: 'isLate(report) || isBehind(report.flags ?? "")',
    replace: 'isBehind(report.flags ?? "")',
    test: "test/client/shared/policy.test.js",
  },
  {
    name: "conditions: what is read behind WATCH is any daemon's",
    file: "client/carrier.js",
    find: 'settings.policy === "usual"',
    replace: "false",
    test: "test/client/carrier.test.js",
  },
  {
    name: "own writes: a daemon that refused one has to prove nothing",
    file: SESSION,
    find: "if (isMissing)",
    replace: "if (false)",
    test: SESSIONS,
  },
  {
    name: "own writes: a daemon that refused one later has to prove nothing",
    file: SESSION,
    find: "batch.sendings.some(({ isTaken }) => isTaken)",
    replace: "false",
    test: SESSIONS,
  },
  {
    name: "own writes: a new connection has to prove nothing",
    file: SESSION,
    find: "if (!hasTimeline || this.#last === null)",
    replace: "if (true)",
    test: SESSIONS,
  },
  {
    name: "own writes: an unproved answer counts",
    file: SESSION,
    find: "return write !== null && envelope?.after !== write.orderKey",
    replace: "return false && envelope?.after !== write.orderKey",
    test: SESSIONS,
  },
  {
    name: "own writes: what waits to be merged counts as applied",
    file: "cluster/replica/recorder.js",
    find: "!timeline.waiting.has(place)",
    replace: "true",
    test: "test/cluster/replica/recorder.test.js",
  },
  {
    name: "standing still: not noticed where a stream orders",
    file: "cluster/order/ordered-replica.js",
    find: "this.#goal = null;\n        this.stream.locateEnd();",
    replace: "",
    test: "test/cluster/order/ordered-replica.test.js",
  },
  {
    name: "standing still: nothing is noticed",
    file: STANDING,
    find: "this.#wokeAt = now;",
    replace: "",
    test: STANDING_STILL,
  },
  {
    name: "standing still: noticed by the timer alone",
    file: STANDING,
    find: "this.#measure(this.#cluster.uptime());",
    replace: "",
    test: STANDING_STILL,
  },
  {
    name: "standing still: what a member said meanwhile counts",
    file: "cluster/peers/member.js",
    find: "if (status.echo >= this.#freshFromEcho)",
    replace: "if (true)",
    test: STANDING_STILL,
  },
  {
    name: "standing still: what is not in the state counts",
    file: STANDING,
    find: "2 * (1 + compared) > size && this.#isLevel()",
    replace: "2 * (1 + compared) > size",
    test: STANDING_STILL,
  },
  {
    name: "standing still: answers say nothing of it",
    file: "cluster/replica/recorder.js",
    find: 'peering.state === "live" && peering.standing.isBehind',
    replace: "false",
    test: "test/cluster/replica/recorder.test.js",
  },
  {
    name: "dead letters: a mark that another program has removed ends write-again",
    file: "cluster/dead-letters/letters-folder.js",
    find: 'if (errnoOf(problem) !== "ENOENT")',
    replace: "if (true)",
    test: "test/cluster/dead-letters/dead-letters.test.js",
  },
];
