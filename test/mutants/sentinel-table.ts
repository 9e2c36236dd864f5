/** Mutants of the rules by which sentinels name a daemon. */
import type { Mutant } from "./mutant.js";

const NAMED = "daemon/cluster/peers/shared/named-daemon.js";
const SIMULATED = "test/daemon/cluster/peers/shared/named-daemon.test.js";

export const sentinelMutants: readonly Mutant[] = [
  {
    name: "sentinel: a daemon makes a new choice although the named one accepts writes",
    file: NAMED,
    find: "if (!this.isDown(this.#named))",
    replace: "if (false)",
    test: SIMULATED,
  },
  {
    name: "sentinel: a choice with a lower epoch is adopted",
    file: NAMED,
    find: "epoch > this.#epoch ||",
    replace: "epoch !== this.#epoch ||",
    test: SIMULATED,
  },
  {
    name: "sentinel: two choices with one epoch remain different",
    file: NAMED,
    find: "(epoch === this.#epoch && named < this.#named)",
    replace: "false",
    test: SIMULATED,
  },
  {
    name: "sentinel: an old statement counts again as a sign of life",
    file: NAMED,
    find: "serial > this.#sign.serial",
    replace: "true",
    test: SIMULATED,
  },
  {
    name: "sentinel: the time in which a process stood still counts",
    file: NAMED,
    find: "Math.min(now - this.#updatedAt, UPDATE_MS_MAX)",
    replace: "now - this.#updatedAt",
    test: SIMULATED,
  },
  {
    name: "sentinel: a daemon that starts does not wait for its members",
    file: NAMED,
    find: "this.#epoch === 0 && this.#parts.hasPeers()",
    replace: "false",
    test: SIMULATED,
  },
  {
    name: "sentinel: a refusal over a silent link counts forever",
    file: NAMED,
    find: "direct !== undefined && this.#clock - direct.at <= this.downAfterMs",
    replace: "direct !== undefined",
    test: SIMULATED,
  },
  {
    name: "sentinel: what other members see of the named daemon does not count",
    file: NAMED,
    find: "serial > this.#sign.serial",
    replace: "false",
    test: SIMULATED,
  },
  {
    name: "sentinel: one statement uses up all epochs",
    file: NAMED,
    find: "Math.min(service.epoch, this.#epoch + EPOCH_STEP_MAX)",
    replace: "service.epoch",
    test: SIMULATED,
  },
  {
    name: "sentinel: a loopback address of another machine is named",
    file: NAMED,
    find: "isLoopback(address.host) === true && isLoopback(host) !== true",
    replace: "false",
    test: SIMULATED,
  },
  {
    name: "sentinel: a daemon vouches for one whose port is closed",
    file: NAMED,
    find: "current.age <= this.downAfterMs && !this.#isRefused",
    replace: "current.age <= this.downAfterMs",
    test: SIMULATED,
  },
  {
    name: "sentinel: a closed port counts although a member vouches for the daemon",
    file: NAMED,
    find: "this.#isRefused && !this.#isVouchedFor(id)",
    replace: "this.#isRefused",
    test: SIMULATED,
  },
  {
    name: "sentinel: a closed port does not end the wait",
    file: NAMED,
    find: "id === this.#named && this.#isRefused && ",
    replace: "false && ",
    test: SIMULATED,
  },
  {
    name: "sentinel: the wait for the members' choice begins before the listeners",
    file: NAMED,
    find: "!own?.acceptsWrites && this.#named === null",
    replace: "own?.acceptsWrites === false && this.#named === null",
    test: SIMULATED,
  },
  {
    name: "sentinel: a member's view of an address counts more than the daemon's own",
    file: NAMED,
    find: "this.#members.get(named)?.resp ?? stated",
    replace: "stated",
    test: SIMULATED,
  },
  {
    name: "sentinel: a closed port of the named daemon is not noticed",
    file: "daemon/cluster/peers/roster.js",
    find: "if (detail === PORT_CLOSED && id !== null)",
    replace: "if (false)",
    test: "test/daemon/cluster/peers/shared/named-daemon.exchange.test.js",
  },
  {
    name: "sentinel: a member's host may contain any bytes",
    file: "protocol/members/service-address.js",
    find: "host.length <= HOST_CHARS_MAX && HOST.test(host)",
    replace: "true",
    test: "test/protocol/members/member-messages.test.js",
  },
];
