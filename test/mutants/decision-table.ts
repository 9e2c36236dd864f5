/** Mutants of the rules by which the members of a list decide on conditions. */
import type { Mutant } from "./mutant.js";

const MEMBERS = "test/cluster/peers/decisions/decisions.test.js";
const LIARS = "test/cluster/peers/decisions/lying-members.test.js";
const CHECKS = "test/cluster/replica/check-entry.test.js";
const CLIENT = "test/client/version-2/decided-calls.test.js";
const FOLD = "test/timeline/fold/decided-units.test.js";

export const decisionMutants: readonly Mutant[] = [
  {
    name: "decisions: an error of a decided unit is called certain",
    file: "engine/answers/result-writer.js",
    find: 'mayChange ? "decided provisional" : "decided"',
    replace: '"decided"',
    test: "test/engine/answers/result-writer.test.js",
  },
  {
    name: "decisions: reads after a decided unit are not resumed",
    file: "timeline/decided-units.js",
    find: "return { id };",
    replace: "return null;",
    test: "test/timeline/decided-units.test.js",
  },
  {
    name: "decisions: invented lists displace the parents of known ones",
    file: "cluster/members/list-history.js",
    find: "this.#parents.add(hash);",
    replace: "this.miss(hash);",
    test: "test/cluster/members/list-history.test.js",
  },
  {
    name: "decisions: invented lists leave no place for others",
    file: "cluster/members/list-history.js",
    find: "this.#named.delete(oldest);",
    replace: "return;",
    test: "test/cluster/members/list-history.test.js",
  },
  {
    name: "decisions: the keys of few entries are collected without a limit",
    file: "timeline/fold/changed-keys.js",
    find: " && keys.length < CHANGED_KEYS_MAX",
    replace: "",
    test: "test/timeline/fold/changed-keys.test.js",
  },
  {
    name: "decisions: a client with a configured cluster does not wait for a hello",
    file: "client/version-2/outbox.js",
    find: "(hasGreeted || options?.decide !== true)",
    replace: "true",
    test: CLIENT,
  },
  {
    name: "decisions: a client forgets that members decide",
    file: "client/version-2/fleet.js",
    find: "link.isDeciding ||= hello",
    replace: "link.isDeciding = hello",
    test: CLIENT,
  },
  {
    name: "decisions: a daemon announces them only while it can vote",
    file: "cluster/replica/recorder.js",
    find: "this.#node.lists?.hasLists ?? false",
    replace: "this.#node.peering.decisions.isPossible",
    test: "test/cluster/replica/recorder.test.js",
  },
  {
    name: "decisions: a member forgets its vote",
    file: "cluster/peers/decisions/voter.js",
    find: "promised: ballot, accepted }, () => then(vote))",
    replace: "promised: ballot }, () => then(vote))",
    test: MEMBERS,
  },
  {
    name: "decisions: a keeper does not propose what may have been decided",
    file: "cluster/peers/decisions/keeper.js",
    find: "if (latest !== undefined)",
    replace: "if (false)",
    test: MEMBERS,
  },
  {
    name: "decisions: a member without its promises votes",
    file: "cluster/peers/decisions/voter.js",
    find: "this.isAmnesic = stored === null;",
    replace: "this.isAmnesic = false;",
    test: MEMBERS,
  },
  {
    name: "decisions: a keeper under a new list does not ask the members of the earlier one",
    file: "cluster/peers/decisions/quorums.js",
    find: "earlier.every(",
    replace: "[].every(",
    test: "test/cluster/peers/decisions/quorums.test.js",
  },
  {
    name: "decisions: a unit is decided again",
    file: "cluster/peers/decisions/decisions.js",
    find: " || this.#ports.isDecided(unit.id)",
    replace: "",
    test: MEMBERS,
  },
  {
    name: "decisions: the votes of a minority are a certificate",
    file: "cluster/members/check-certificate.js",
    find: "2 * voters.size > members.length",
    replace: "voters.size > 0",
    test: CHECKS,
  },
  {
    name: "decisions: a member records an envelope without the decision that its signer requests",
    file: "cluster/replica/check-entry.js",
    find: "if (envelope.decide)",
    replace: "if (false)",
    test: CHECKS,
  },
  {
    name: "decisions: the fold evaluates a condition again",
    file: "timeline/fold/apply-unit.js",
    find: "if (envelope.decided !== null)",
    replace: "if (false)",
    test: FOLD,
  },
  {
    name: "decisions: a date becomes final before a decision that may have been made",
    file: "timeline/watermark.js",
    find: "Math.max(this.published, this.#decided.openDate - 1)",
    replace: "Number.POSITIVE_INFINITY",
    test: "test/timeline/watermark.test.js",
  },
  {
    name: "decisions: a liar's ballot uses up the rounds",
    file: "cluster/peers/decisions/decisions.js",
    find: " <= ROUNDS_AHEAD",
    replace: " < Number.POSITIVE_INFINITY",
    test: LIARS,
  },
  {
    name: "decisions: a ballot may name another number of the list",
    file: "cluster/peers/decisions/decisions.js",
    find: "current.number !== list || ",
    replace: "",
    test: LIARS,
  },
  {
    name: "decisions: a ballot above the maximum is read",
    file: "protocol/members/decision-votes.js",
    find: "ballot.round <= ROUND_MAX && ballot.attempt <= ROUND_MAX ? ballot : null",
    replace: "ballot",
    test: LIARS,
  },
  {
    name: "decisions: an objection has an attempt above the maximum",
    file: "cluster/peers/decisions/decisions.js",
    find: "if (ballot.attempt === ROUND_MAX)",
    replace: "if (false)",
    test: LIARS,
  },
];
