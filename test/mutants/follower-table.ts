/** Mutants of the rules by which followers of streams miss nothing. */
import type { Mutant } from "./mutant.js";

const OWN = "test/daemon/timeline/own-dates.test.js";
const AHEAD = "test/daemon/cluster/peers/exchange/closing-answers.test.js";
const CLOSING = "test/daemon/cluster/peers/exchange/date-closing.test.js";
const REPLIES = "test/daemon/engine/backends/followed-streams.test.js";

const DATES = "daemon/cluster/peers/exchange/date-closing.js";
const INTAKE = "daemon/cluster/peers/exchange/entry-intake.js";
const ANSWERS = "daemon/cluster/peers/exchange/closing-answers.js";

export const followerMutants: readonly Mutant[] = [
  {
    name: "followers: a member that is requested to close a date does not raise its floor",
    file: "daemon/timeline/own-dates.js",
    find: "if (to > this.closedTo)",
    replace: "if (false)",
    test: OWN,
  },
  {
    name: "followers: a daemon forgets at a restart which dates it has closed",
    file: "daemon/timeline/own-dates.js",
    find: 'markedDate(storage, "closed") ?? 0',
    replace: "0",
    test: OWN,
  },
  {
    name: "followers: each closed date is written to the disk",
    file: "daemon/timeline/own-dates.js",
    find: "to > this.#renewedAbove",
    replace: "true",
    test: OWN,
  },
  {
    name: "followers: the closed date on the disk is so late that a restarted daemon refuses writes",
    file: "daemon/timeline/own-dates.js",
    find: "Math.min(to + RESERVED_MS, reservableTo)",
    replace: "to + RESERVED_MS",
    test: OWN,
  },
  {
    name: "followers: a member answers before what it signed is on its disk",
    file: ANSWERS,
    find: "ownDates.close(to, now + limits.future - 1).then(",
    replace: "ownDates.close(to, now + limits.future - 1) && Promise.resolve().then(",
    test: CLOSING,
  },
  {
    name: "followers: a member answers before it has pushed what it signed",
    file: ANSWERS,
    find: "this.#member.outbox.afterOwnPushes(answer)",
    replace: "answer()",
    test: CLOSING,
  },
  {
    name: "followers: a member answers before a comparison has found what no push contained",
    file: "daemon/cluster/peers/exchange/member-outbox.js",
    find: "this.#comparedSkips < this.#skips",
    replace: "false",
    test: CLOSING,
  },
  {
    name: "followers: a member sets the dates of another daemon far ahead of its clock",
    file: ANSWERS,
    find: "Math.max(newest, Math.min(requested, near))",
    replace: "Math.max(newest, requested)",
    test: CLOSING,
  },
  {
    name: "followers: each request and each write set the dates further ahead, until writes are refused",
    file: ANSWERS,
    find: "|| uptime() < this.#farFrom",
    replace: "",
    test: AHEAD,
  },
  {
    name: "followers: a daemon closes a date after which its next write would be refused",
    file: ANSWERS,
    find: "newest >= now + limits.future ||",
    replace: "",
    test: AHEAD,
  },
  {
    name: "followers: an answer counts before the state has the entries before it",
    file: DATES,
    find: "timeline.isFolded(unfolded[0].foldedTo)",
    replace: "true",
    test: CLOSING,
  },
  {
    name: "followers: an answer counts before the state has a script's entry, which has a later date than its ids",
    file: DATES,
    find: "Math.min(member.newestPushed,",
    replace: "Math.min(0,",
    test: CLOSING,
  },
  {
    name: "followers: an answer counts although entries before it wait for their signer's key",
    file: DATES,
    find: "last === undefined || member.hasMissed",
    replace: "last === undefined",
    test: CLOSING,
  },
  {
    name: "followers: an answer counts although a member's first entries wait for its key",
    file: INTAKE,
    find: "readHead(packed.body).key === sender.id",
    replace: "false",
    test: CLOSING,
  },
  {
    name: "followers: entries that are dropped while a snapshot is adopted do not count as missed",
    file: INTAKE,
    find: 'entries.length > 0 && timeline.state !== "live"',
    replace: "false",
    test: "test/daemon/cluster/peers/exchange/entry-intake.test.js",
  },
  {
    name: "followers: they wait for a member that was left out",
    file: DATES,
    find: "if (!isLeftOut && closedTo < to)",
    replace: "if (closedTo < to)",
    test: CLOSING,
  },
  {
    name: "followers: a member that does not answer is never left out",
    file: DATES,
    find: "now - since >= limits.closeMs",
    replace: "false",
    test: CLOSING,
  },
  {
    name: "followers: a pause of this process leaves out members that have answered in time",
    file: DATES,
    find: "!isPaused || this.#wasPaused",
    replace: "true",
    test: CLOSING,
  },
  {
    name: "followers: members that do not answer are not left out while pauses follow each other",
    file: DATES,
    find: "!isPaused || this.#wasPaused",
    replace: "!isPaused",
    test: CLOSING,
  },
  {
    name: "followers: answers that were not requested fill the memory while the disk is slow",
    file: "daemon/cluster/peers/member.js",
    find: "this.#closedWaiting >= cluster.limits.closeRequests",
    replace: "false",
    test: "test/daemon/cluster/peers/misbehaving.test.js",
  },
  {
    name: "followers: members are requested to close dates although no client follows",
    file: DATES,
    find: "let latest = 0;",
    replace: "let latest = this.newest;",
    test: CLOSING,
  },
  {
    name: "followers: members that were left out are requested again although no client follows",
    file: DATES,
    find: "isFollowed && this.#members",
    replace: "this.#members",
    test: CLOSING,
  },
  {
    name: "followers: a later date waits for the answer to an earlier one",
    file: DATES,
    find: "dates.requests.length >= closeRequests",
    replace: "dates.requests.length >= 1",
    test: CLOSING,
  },
  {
    name: "followers: a client receives entries whose dates are not closed",
    file: "daemon/engine/backends/followed-streams.js",
    find: "return at > closedTo && at <= newest;",
    replace: "return false;",
    test: REPLIES,
  },
  {
    name: "followers: a client that has waited receives later entries too",
    file: "daemon/engine/backends/followed-streams.js",
    find: "resolve(openPart(read(), closedTo, closedDates.newest).reply)",
    replace: "resolve(read())",
    test: REPLIES,
  },
];
