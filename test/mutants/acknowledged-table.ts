/** Mutants of the rules for acknowledging a unit with conditions, and for reading a client's own writes. */
import type { Mutant } from "./mutant.js";

const POLICY = "client/shared/policy.js";
const SESSION = "client/version-2/consistency-session.js";
const DETECTOR = "cluster/peers/standstill-detector.js";
const SESSIONS = "test/client/version-2/consistency-session.test.js";
const DETECTOR_TEST = "test/cluster/peers/standstill-detector.test.js";

export const acknowledgedMutants: readonly Mutant[] = [
  {
    name: "effects: a call fails before every daemon was tried",
    file: "client/version-2/call-batch.js",
    find: 'verdict.kind === "failed" && !final && this.#hasUntried',
    replace: "false",
    test: "test/client/version-2/effects.test.js",
  },
  {
    name: "effects: a daemon that has just failed counts as untried",
    file: "client/version-2/call-batch.js",
    find: "failure === null && isUnsent(state)",
    replace: "isUnsent(state)",
    test: "test/client/version-2/effects.test.js",
  },
  {
    name: "effects: a majority's failure waits for untried daemons",
    file: "client/version-2/call-batch.js",
    find: ' && verdict.code !== "reply"',
    replace: "",
    test: "test/client/version-2/effects.test.js",
  },
  {
    name: "effects: a daemon that has just failed may still receive the call",
    file: "client/version-2/call-batch.js",
    find: "report.written || sending.isMissing",
    replace: "report.written || sending.refusal !== null",
    test: "test/client/version-2/effects.test.js",
  },
  {
    name: "effects: an aborted call does not count as queued for a daemon of version 1",
    file: "client/version-2/call-batch.js",
    find: "isDelivery ? this.#afterEnd(report, index, call, now) : report",
    replace: "report",
    test: "test/client/version-2/effects.test.js",
  },
  {
    name: "effects: a call that may still be sent counts as not applied",
    file: "client/version-2/call-batch.js",
    find: "mayBeSent ? { ...report, written: true } : report",
    replace: "report",
    test: "test/client/simulation.test.js",
  },
  {
    name: "effects: a decision about the cluster precedes the deliveries in version 1",
    file: "client/version-2/fleet.js",
    find: "this.#owner.detectedVersion1(this.links.indexOf(link), now);\n        this.#decide(now);",
    replace: "this.#decide(now);\n        this.#owner.detectedVersion1(this.links.indexOf(link), now);",
    test: "test/client/version-2/effects.test.js",
  },
  {
    name: "effects: dbsyncSend uses a client of another cluster",
    file: "client/dbsync-send.js",
    find: "cluster,\n        keepalive",
    replace: "keepalive",
    test: "test/client/version-2/effects.test.js",
  },
  {
    name: "conditions: the outcome of one daemon is returned to the client",
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
    find: 'isLate(report) || isCatchingUp(report.flags ?? "")',
    replace: 'isCatchingUp(report.flags ?? "")',
    test: "test/client/shared/policy.test.js",
  },
  {
    name: "conditions: a read after WATCH may come from any daemon",
    file: "client/forwarding-client.js",
    find: 'settings.policy === "usual"',
    replace: "false",
    test: "test/client/forwarding-client.test.js",
  },
  {
    name: "own writes: a daemon that refused a write is not asked for proof that it has the write",
    file: SESSION,
    find: "if (isMissing)",
    replace: "if (false)",
    test: SESSIONS,
  },
  {
    name: "own writes: a daemon that refused a write later is not asked for proof that it has the write",
    file: SESSION,
    find: "batch.sendings.some(({ isTaken }) => isTaken)",
    replace: "false",
    test: SESSIONS,
  },
  {
    name: "own writes: a daemon on a new connection is not asked for proof that it has the writes",
    file: SESSION,
    find: "if (!hasTimeline || this.#last === null)",
    replace: "if (true)",
    test: SESSIONS,
  },
  {
    name: "own writes: an answer without proof counts",
    file: SESSION,
    find: "return write !== null && envelope?.after !== write.orderKey",
    replace: "return false && envelope?.after !== write.orderKey",
    test: SESSIONS,
  },
  {
    name: "own writes: entries that wait to be merged count as applied",
    file: "cluster/replica/recorder.js",
    find: "!timeline.waiting.has(orderKey)",
    replace: "true",
    test: "test/cluster/replica/recorder.test.js",
  },
  {
    name: "suspension: a daemon with --order does not detect it",
    file: "cluster/order/ordered-replica.js",
    find: "this.#goal = null;\n        this.stream.locateEnd();",
    replace: "",
    test: "test/cluster/order/ordered-replica.test.js",
  },
  {
    name: "suspension: no daemon detects it",
    file: DETECTOR,
    find: "this.#wokeAt = now;",
    replace: "",
    test: DETECTOR_TEST,
  },
  {
    name: "suspension: only the timer detects it",
    file: DETECTOR,
    find: "this.#measure(this.#cluster.uptime());",
    replace: "",
    test: DETECTOR_TEST,
  },
  {
    name: "suspension: messages that a member sent during the suspension count",
    file: "cluster/peers/member.js",
    find: "if (status.echo >= this.#freshFromEcho)",
    replace: "if (true)",
    test: DETECTOR_TEST,
  },
  {
    name: "suspension: entries that are not in the state count",
    file: DETECTOR,
    find: "2 * (1 + compared) > size && this.#isFolded()",
    replace: "2 * (1 + compared) > size",
    test: DETECTOR_TEST,
  },
  {
    name: "suspension: answers have no flag",
    file: "cluster/replica/recorder.js",
    find: 'peering.state === "live" && peering.standstill.mayBeStale',
    replace: "false",
    test: "test/cluster/replica/recorder.test.js",
  },
  {
    name: "dead letters: write-again fails if another program has removed a mark",
    file: "cluster/dead-letters/dead-letter-folder.js",
    find: 'if (errnoOf(problem) !== "ENOENT")',
    replace: "if (true)",
    test: "test/cluster/dead-letters/dead-letters.test.js",
  },
];
