/**
 * Compares the numbers in docs/protocol-v2.md, and those in docs/limits.md that no table contains, with the constants
 * of the code. Each limit, size and duration of the protocol's page is in a sentence of this test.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  MEMBERS_MAX,
  NON_VOTERS_MAX,
  PEERING_LIMITS,
  PLACED_AHEAD_MS,
  PROPOSED_AHEAD_MS,
} from "../../daemon/cluster/peers/shared/peering-limits.js";
import { SHARES } from "../../daemon/engine/backends/working-memory.js";
import { LIMITS } from "../../daemon/options/limits.js";
import { DATE_WINDOW_MAX, ORDER_WINDOW } from "../../daemon/options/timeline-values.js";
import { KIB, MIB } from "../../daemon/options/value-forms.js";
import { READS_PER_STEP } from "../../daemon/store/keyspace/effort-budget.js";
import { LEVEL_SECONDS } from "../../daemon/timeline/compare/digest-index.js";
import { RESERVED_MS } from "../../daemon/timeline/own-dates.js";
import { DOCUMENT_BYTES_MAX } from "../../faces/mongo/store/values/bson.js";
import { repositoryRoot } from "../support/repository.js";
import { constant } from "./source-constants.js";

const readPage = (page: string): string =>
  readFileSync(join(repositoryRoot, page), "utf8")
    .replace(/<!-- made by npm run tables -->[\s\S]*?<!-- end of what is made by npm run tables -->/g, "")
    .replace(/```[\s\S]*?```/g, "")
    .replace(/\s+/g, " ");

/** Returns the constants of a file as texts of the page. */
const of = (file: string) => (name: string) => textsOf(constant(file, name));

/** A number in the forms in which the page contains it. */
interface NumberTexts {
  /** Without commas. */
  readonly plain: string;
  readonly count: string;
  readonly word: string;
  readonly ms: string;
  readonly s: string;
  readonly minutes: string;
  readonly kib: string;
  readonly mib: string;
  readonly power: string;
}

const WORDS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

const textsOf = (value: number): NumberTexts => ({
  plain: String(value),
  count: value.toLocaleString("en"),
  word: WORDS[value] ?? String(value),
  ms: `${value} ms`,
  s: `${value / 1000} s`,
  minutes: value === 60_000 ? "a minute" : `${WORDS[value / 60_000]} minutes`,
  kib: `${value / KIB} KiB`,
  mib: `${value / MIB} MiB`,
  power: `2^${Math.log2(value)}`,
});

const CONNECTION = "daemon/cluster/peers/connections/member-connection";
const LIST = "protocol/members/member-list";
const limits = Object.fromEntries(
  Object.entries(PEERING_LIMITS).map(([name, value]) => [name, textsOf(value)]),
) as Readonly<Record<keyof typeof PEERING_LIMITS, NumberTexts>>;
/** The time after which members that have sent nothing count as silent. */
const silence = textsOf(PEERING_LIMITS.standstillMs + PEERING_LIMITS.statusEveryMs);
const option = (name: "maxRequestBytes" | "maxOutputBytes" | "maxEventBytes") =>
  textsOf(LIMITS[name].fallback);
const envelope = of("protocol/version-2/envelope");
const waiting = of("daemon/engine/pipeline/waiting-envelopes");
const answers = of("daemon/cluster/replica/member-answers");
const delayed = of("daemon/cluster/replica/delayed-answers");
const known = of("daemon/timeline/decided-units");
const history = of("daemon/cluster/history/timeline-log");
const shown = of("daemon/cluster/history/unit-report");
const later = of("daemon/timeline/unfolded-entries");
const list = of(LIST);
const elements = of("protocol/members/member-elements");
const about = of("protocol/members/member-messages");
const reports = of("protocol/members/subscriber-counts");
const subscribers = of("daemon/cluster/peers/member-subscribers");
const handshake = of(CONNECTION);
const tick = constant("daemon/cluster/node/cluster-node", "TICK_MS");
const client = of("client/version-2/fleet");
const clientClock = of("client/version-2/client-clock");
const recalls = of("daemon/timeline/history-fold");
const digests = of("daemon/timeline/state-digests");
const SCHEDULE = "daemon/timeline/snapshots/snapshot-schedule";
const LISTS = "daemon/store/commands/lists/list-search";
const lists = of(LISTS);
const budget = of("daemon/store/keyspace/effort-budget");
const reads = of("daemon/store/read-allowance");
const sizes = of("faces/mongo/store/queries/value-size");
const expressions = of("faces/sql/store/commands/compiled-expressions");
const memory = of("daemon/engine/memory/memory-limit");
const mirror = of("faces/redis-mirror/mirror");
const replaced = of("daemon/cluster/replica/replaced-data-folders");
const togetherMax = of("protocol/version-2/decision-body")("PROPOSAL_UNITS_MAX").plain;
const keeper = of("daemon/cluster/peers/decisions/keeper");
const making = of("daemon/cluster/peers/decisions/decision-making");
const turn = of("daemon/timeline/fold/outcomes-in-turn");
const decisions = of("daemon/cluster/peers/decisions/decisions");
const timeouts = of("daemon/cluster/peers/decisions/timeouts");
const lying = of("daemon/cluster/peers/decisions/member-limits");
const votes = of("daemon/cluster/peers/decisions/vote-count");
const comparing = of("daemon/cluster/peers/state/state-comparing");
const PATTERNS_COMPARED =
  Number(subscribers("PATTERN_STEPS_MAX").plain) / Number(subscribers("PATTERN_STEPS").plain);
const [, , coarsest] = LEVEL_SECONDS;

/** The sentences of docs/protocol-v2.md that contain numbers. */
const PROTOCOL: readonly string[] = [
  `the daemon that its sentinel names, every ${of("daemon/cluster/peers/shared/named-daemon")("SERVICE_EVERY_MS").s} and after`,
  `A host has at most ${of("protocol/members/service-address")("HOST_CHARS_MAX").plain} letters`,
  `a payload above \`--max-request-bytes\` (${option("maxRequestBytes").mib})`,
  `(1 to ${envelope("COMMANDS_MAX").plain} commands, with \`multi\` 1 to ${envelope("UNIT_COMMANDS_MAX").plain}, each`,
  `0 to ${envelope("SEQ_MAX").plain}: orders`,
  `if \`seq\` would exceed ${envelope("SEQ_MAX").plain}`,
  `${envelope("NONCE_BYTES").plain} random bytes`,
  `number of the database, below ${textsOf(constant("protocol/version-2/envelope", "DB_MAX") + 1).power}`,
  `1 to ${envelope("IF_KEYS_MAX").plain} keys`,
  `order key (${envelope("UNIT_ORDER_KEY_BYTES").plain} bytes)`,
  `(1 to ${envelope("USER_BYTES_MAX").plain} bytes)`,
  `its body may have at most ${of("daemon/engine/pipeline/envelope-checks")("RING_BODY_BYTES_MAX").kib}`,
  `its *name*, ${envelope("UNIT_ID_BYTES").plain} bytes`,
  `its *order key*, ${envelope("UNIT_ORDER_KEY_BYTES").plain} bytes`,
  `longer than \`--max-output-bytes\` (${option("maxOutputBytes").mib})`,
  `last writer (${envelope("UNIT_ID_BYTES").plain} bytes, or empty`,
  `dated up to ${limits.future.s} (the end of the window)`,
  `at most ${answers("ANSWERS_MAX").count} of them and ${answers("BYTES_MAX").mib}`,
  `may have ${of("daemon/listener/live-session")("SUBSCRIPTIONS_MAX").count} subscriptions`,
  `more than ${option("maxEventBytes").mib} of events wait`,
  `after ${delayed("STABLE_MS_MAX").s} \`not-stable\``,
  `\`newest\` is more than ${delayed("CLIENTS_AHEAD_MS").s} ahead of its clock, it delays this refusal until it is not, by at most ${delayed("DELAY_MS_MAX").s}`,
  `N is from 1 to ${of("protocol/version-2/messages-v2")("WAITED_FOR_MAX").plain}`,
  `after ${delayed("REPLICATED_MS_MAX").s} \`not-replicated\``,
  `(${limits.past.s} by default, \`--window\`)`,
  `\`at\` is less than ${limits.past.s} before and less than ${limits.future.s} after the daemon's clock`,
  `this date is ${limits.future.s} (\`--window\`) after the start`,
  `unit for ${known("KNOWN_MS").s} after the end of the window`,
  `also knows the last ${known("KNOWN_LONGER").count} of them`,
  `waits for this unit for up to ${waiting("WAIT_MS_MAX").s}. At most ${waiting("WAITERS_MAX").count} envelopes and ${waiting("WAITING_BYTES_MAX").mib} may wait`,
  `in both cases at most ${clientClock("AHEAD_MS_MAX").s} ahead of the daemon's clock. If the pair is further ahead, the client uses the daemon's clock plus ${clientClock("AHEAD_MS_MAX").s}`,
  `before any later message, at most ${of("daemon/engine/pipeline/publish-messages")("MISSED_EVERY_MS").s === "1 s" ? "once a second" : "otherwise"}`,
  `damaged or above ${of("daemon/cluster/history/timeline-answers")("READ_BYTES_MAX").kib}. n is at most ${history("DEAD_LETTERS_MAX").plain}`,
  `at most ${of("daemon/cluster/history/timeline-answers")("ORDER_KEYS_MAX").plain}): \`held\``,
  `(default ${history("UNITS_DEFAULT").plain}, at most ${history("UNITS_MAX").count})`,
  `more than ${shown("SHOWN_BYTES_MAX").plain} bytes are cut`,
  `Only the first ${shown("SHOWN_ARGUMENTS_MAX").plain} arguments`,
  `At most ${recalls("RECALLS_MAX").word} such commands run at a time, each for at most ${recalls("RECALL_MS_MAX").s}`,
  `The handshake must be complete within ${limits.handshakeMs.s}`,
  `a side refuses frames above ${handshake("HANDSHAKE_FRAME_BYTES").kib}. An opener accepts up to ${textsOf(constant(CONNECTION, "HANDSHAKE_FRAME_BYTES") + constant(LIST, "LIST_BODY_BYTES_MAX")).kib},`,
  `keeps at most ${limits.maxHandshakesOfAddress.plain} incoming connections from one address`,
  `have proved nothing, and ${limits.maxHandshakes.plain} in total`,
  `the sender's state, every ${limits.statusEveryMs.s} |`,
  `shows about the sender, every ${limits.aboutEveryMs.s}.`,
  `at most ${elements("ORDER_KEYS_MAX").count} order keys`,
  `A message has at most ${of("protocol/members/cut-votes")("VOTES_MAX").plain} votes`,
  `median by more than ${limits.skewMs.s}; the sender`,
  `version of the sender's program (at most ${about("SOFTWARE_CHARS_MAX").plain} bytes)`,
  `at most ${about("PROBLEMS_MAX").plain} lines of ${about("PROBLEM_CHARS_MAX").plain} bytes`,
  `after ${tick} to ${textsOf(2 * tick).ms}, or after up to ${textsOf((PEERING_LIMITS.offerTicksMax + 1) * tick).ms} if`,
  `has not arrived after ${limits.requestMs.s}, the daemon requests it from another`,
  `more than twice the window ago (${textsOf(2 * PEERING_LIMITS.past).minutes})`,
  `At most ${limits.windowBytes.mib} of pushes is in flight`,
  `sent alone, up to ${limits.maxEnvelopeBytes.mib}`,
  `A push has at most ${limits.batchEntries.plain} entries`,
  `A push above ${limits.deflateMaxBytes.mib} is not deflated`,
  `every ${PEERING_LIMITS.reconcileMinMs / 1000} to ${limits.reconcileMaxMs.s} while the totals differ`,
  `makes no progress for ${limits.reconcileMs.s}, both members abandon it`,
  `(after ${limits.catchUpMs.s}, one of them is enough)`,
  `with those of all connected members, or none is connected, and ${limits.catchUpMs.s} have passed since the last new entry`,
  `- ${limits.catchUpStuckMs.s} have passed since the last new entry`,
  `- ${limits.catchUpMaxMs.minutes} have passed, even if entries still arrive`,
  `an entry of an unknown signer for ${limits.quarantineMs.minutes}`,
  `dated more than ${later("FOLD_AHEAD_MS").s} ahead of its own clock, the daemon stores`,
  `At most ${later("ENTRIES_MAX").count} such entries and ${later("BYTES_MAX").mib} wait`,
  `that has sent ${limits.maxRefusals.plain} refused entries, and accepts it again after ${limits.banMs.s}`,
  `received nothing for ${limits.silenceMs.s} closes the connection`,
  `At most ${limits.closeRequests.count} requests to a member are unanswered`,
  `but to at most ${limits.closeAheadMs.s} ahead of its clock`,
  `and again at most every ${limits.closeFarMs.ms} for each member`,
  `with up to ${textsOf(RESERVED_MS).s} in addition`,
  `not answered within ${limits.closeMs.ms} is left out: no client waits for it, until it has answered a request within ${limits.closeMs.ms}`,
  `for ${limits.followedMs.s} after the last read of a follower`,
  `if the connection had lasted for ${limits.goodConnectionMs.s}`,
  `a random time of up to ${limits.reconnectFirstMs.s}; this limit doubles with each attempt, up to ${limits.reconnectMaxMs.s}`,
  `has ${MEMBERS_MAX} slots for members`,
  `at most ${NON_VOTERS_MAX} slots, and fewer if \`--peer\` lists more than ${MEMBERS_MAX - NON_VOTERS_MAX}.`,
  `a date more than ${limits.skewMs.s} ahead of the daemon's own clock`,
  `at most ${of("daemon/cluster/peers/catching-up-state")("BELIEVED_AHEAD_MS").s === "86400 s" ? "a day" : "otherwise"} ahead of the daemon's own`,
  `waits up to ${limits.catchUpMs.s} for the first \`status\``,
  `reaches no member for ${limits.catchUpMs.s}, it begins`,
  `\`catching-up\` for more than ${limits.catchUpStuckMs.s} do not count`,
  `has not advanced for ${limits.snapshotHoldMs.minutes}, the daemon no longer waits`,
  `has been catching up for ${limits.catchUpStuckMs.s}, the daemon makes an additional`,
  `after another ${textsOf(2 * PEERING_LIMITS.catchUpStuckMs).s}, the daemon makes the next one`,
  `twice as long as the previous one, up to ${limits.snapshotHoldMs.minutes}`,
  `and, every ${limits.reportEveryMs.s}, to each member that is catching up`,
  `for at most ${of("daemon/cluster/peers/finality/cut-voting")("PROOFS_MAX").plain} such daemons`,
  `more than ${2 * coarsest} s ago, the request is for the first multiple of ${coarsest} s`,
  `Every ${limits.reportEveryMs.s}, a daemon that has pruned requests reports`,
  `report the same for ${limits.catchUpMs.s}, and these reports differ`,
  `For ${limits.snapshotAfterMs.s}, none of the missing entries has arrived, or they have been missing for ${limits.snapshotHoldMs.minutes}`,
  `or ${limits.catchUpMs.s} have passed in which they could connect`,
  `After ${limits.catchUpStuckMs.s} without any of the missing entries`,
  `parts of at most ${limits.snapshotPartBytes.kib}, of which at most ${limits.snapshotParts.word} are in flight`,
  `less than ${limits.snapshotMinBytes.kib} (or less than the remainder) arrives in ${limits.snapshotStuckMs.s}`,
  `until the receiver is live, for at most ${limits.snapshotHoldMs.minutes}`,
  `none of the missing entries has arrived for ${limits.catchUpMs.s}, the daemon that holds`,
  `The daemon waits for this for at most ${limits.snapshotHoldMs.minutes}`,
  `waits for the key for ${limits.channelMessageKeyMs.s}`,
  `at multiples of ${limits.compareEveryMs.s}, once`,
  `its interval ${comparing("GROWTH").word} times as long, up to ${limits.compareIdleMs.s}`,
  `make the interval ${limits.compareEveryMs.s} again`,
  `contains ${digests("BUCKETS_MIN").count} to ${digests("BUCKETS_MAX").count} buckets`,
  `A message has at most ${reports("COUNTS_MAX").count} counts`,
  `at most every ${limits.subscribersEveryMs.ms}, and up to ${limits.batchBytes.kib} of it in one message`,
  `reports at most ${limits.maxReportedNames.count} names with a total of ${limits.maxReportedBytes.mib}, none longer than ${reports("REPORTED_NAME_BYTES_MAX").count} bytes`,
  `when it connects, every ${limits.statusEveryMs.s}, and when the list changes`,
  `A daemon stores ${list("HEADS_MAX").word} lists`,
  `A text names at most ${list("PARENTS_MAX").word} lists as parents`,
  `A list has at most ${list("LIST_MEMBERS_MAX").plain} members, and its envelope at most ${list("LIST_BODY_BYTES_MAX").kib}`,
  `from 1; at most ${of("protocol/version-2/decision-body")("SLOT_MAX").power}`,
  `the decisions on up to ${togetherMax} envelopes together`,
  `the number of decisions in the proposal, at most ${togetherMax} |`,
  `on the envelopes that wait: at most ${togetherMax}, and with more than one at most ${making("PROPOSAL_BYTES").mib} and ${making("PROPOSAL_COMMANDS").count} commands.`,
  `("Decisions") | at most ${envelope("DECIDED_UNITS_MAX").plain} units |`,
  `the body has at most ${envelope("DECIDED_BYTES_MAX").mib}, and each command is one of`,
  `or ${turn("PROPOSAL_STEPS_MAX").count} steps`,
  `it would need more than ${turn("PROPOSAL_STEPS_MAX").count} steps`,
  `need at most ${turn("PROPOSAL_STEPS_MAX").count} steps`,
  `An attempt is at most ${textsOf(constant("protocol/members/decision-messages", "ATTEMPT_MAX") + 1).power} - 1`,
  `whose round is more than ${limits.future.s} (\`--window\`) after its clock`,
  `have reported the same entries up to its date for ${decisions("LOST_AFTER_MS").s}`,
  `last turn began: ${lying("PAUSE_MS").s}, doubled with each turn, at most ${lying("PAUSE_MS_MAX").s}`,
  `after ${lying("FORGET_MS").s} without a turn it begins with ${lying("PAUSE_MS").s} again`,
  `If ${lying("PREVENTED_MAX").word} attempts of a keeper within ${lying("PREVENTED_MS").s} were prevented`,
  `for the rest of the ${lying("PREVENTED_MS").s}`,
  `if a unit has waited for ${decisions("STARVING_MS").s} (or ${decisions("STARVING_PATIENCE").word} times its patience`,
  `at most ${lying("MESSAGES_PER_SECOND").plain} messages per second of another member`,
  `and ${lying("MESSAGES_PER_DECISION").word} more for each proposal that is decided`,
  `at most ${votes("EACH_MAX").plain} proposals and ${votes("EACH_MAX").plain} votes of each member, and at most ${votes("PROPOSALS_MAX").plain} proposals of each member together`,
  ...(["PATIENCE", "RANK", "REPEAT", "OBJECT_AFTER", "LEAVE"] as const).map(
    (name) => `| ${timeouts(`${name}_MS`).ms} | ${timeouts(`${name}_MS_MAX`).s} |`,
  ),
  `${timeouts("SAVES").word} writes, ${timeouts("TRIPS").word} round trips, ${timeouts("WAKES").word} delays`,
  `A round trip counts at most ${timeouts("TRIP_MS_MAX").s}, a delay at most ${timeouts("DELAY_MS_MAX").s}`,
  `the longest one counts half after ${timeouts("HALF_LIFE_MS").minutes}`,
  ...[tick, constant("daemon/cluster/peers/decisions/timeouts", "TICK_MS")].flatMap((ms) => [
    `how late its own ticks (every ${ms} ms) are`,
    `at most ${4 * ms} ms between two ticks do`,
  ]),
  `no tick for ${timeouts("SUSPENDED_MS").ms}, it begins no ballot in the next ${timeouts("READ_MS").ms}`,
  `dated more than ${making("AHEAD_MS").ms} ahead of the members' median clock`,
  `at most ${textsOf(PROPOSED_AHEAD_MS).ms} ahead, because the medians`,
  `if that is within the ${textsOf(PROPOSED_AHEAD_MS).ms}, after all entries`,
  `place a client's envelope at most ${textsOf(PLACED_AHEAD_MS).s} before its own date`,
  `that is too early by more than ${textsOf(2 * PEERING_LIMITS.skewMs).s}`,
  `For ${textsOf(PLACED_AHEAD_MS).s} after a pattern was removed`,
  `but at most ${textsOf(DATE_WINDOW_MAX).minutes} after its clock`,
  `limits it to ${textsOf(DATE_WINDOW_MAX).minutes} and ${textsOf(2 * PEERING_LIMITS.skewMs).s} after its own clock`,
  `by the earliest clock in these objections for ${keeper("CLOCK_MS").s}, but at most ${textsOf(2 * PEERING_LIMITS.skewMs).s} before`,
  `A proposal or promise with more than ${lying("DECISIONS_PER_MESSAGE").plain} decisions counts as one for each ${lying("DECISIONS_PER_MESSAGE").plain} of them`,
  `does not wait for the next ${keeper("HASTY_DECISIONS").plain} decisions`,
  `If more than ${lying("MESSAGES_PER_SECOND").plain} units of another member were not valid`,
  `from so many members for ${silence.s} (\`--standstill\`, and the time between two statuses)`,
  `waits for a proposal of it that it knows, for ${decisions("HELD_MS").s} at most`,
  `At most ${decisions("UNITS_MAX").count} envelopes with ${decisions("UNIT_BYTES_MAX").mib} wait at a member, where an envelope counts as ${textsOf(constant("daemon/cluster/peers/decisions/decisions", "UNIT_BYTES_MAX") / 2).mib} at most`,
  `One connection sends at most ${of("daemon/listener/dbsync-dialect")("UNANSWERED_MAX").count} of them`,
  `to the keeper in turn, too, and again after ${decisions("FORWARD_AGAIN_MS").s}`,
];

/** The sentences of docs/limits.md with numbers that neither a table nor test/daemon/store/effort-page.test.ts has. */
const LIMITS_PAGE: readonly string[] = [
  `it may need at most ${turn("PROPOSAL_STEPS_MAX").count} steps with its reads`,
  `a snapshot after every ${textsOf(LIMITS.snapshotEntries.fallback / constant(SCHEDULE, "URGENCY")).count} envelopes`,
  `may contain at most ${envelope("UNIT_COMMANDS_MAX").count} commands that write or publish, and ${textsOf(LIMITS.maxRequestBytes.max).mib} of them`,
  `compares the ${lists("NEAR_ELEMENTS").plain} elements nearest to the end (${READS_PER_STEP / constant(LISTS, "COMPARED_ELEMENT_READS")} comparisons count as a step)`,
  `After ${lists("VAIN_SEARCHES_MAX").plain} such claims`,
  `(${constant(LISTS, "COUNTED_ELEMENT_READS") / READS_PER_STEP} steps for each)`,
  `a command of MongoDB (\`MDB.*\`) count ${budget("STATEMENT_STEPS").plain} steps`,
  `and ${reads("READ_STEPS_PER_BYTE").plain} for each byte`,
  `with a negative count: ${of("daemon/store/commands/random-count")("REPETITIONS_MAX").count} repetitions`,
  `counts as ${sizes("VALUE_BYTES").plain} bytes (\`VALUE_BYTES\`)`,
  `${textsOf(DOCUMENT_BYTES_MAX / 4).mib} (\`KEY_BYTES_MAX\`)`,
  `${of("faces/mongo/store/queries/pattern")("UNREMEMBERED_MAX").count} characters of a text that are unlike those before (\`UNREMEMBERED_MAX\`)`,
  `${budget("HELD_BYTES_PER_STEP").plain} bytes of their intermediate results count as one step`,
  `together with up to ${SHARES - 1} others`,
  `more than ${expressions("PARTS_INCLUDED").word} names, values and operators, each further one counts as ${expressions("STEPS_PER_PART").plain} steps`,
  `compares ${memory("CANDIDATES").word} random keys`,
  `count its subscribers: ${reports("REPORTED_NAMES_MAX").count} (\`REPORTED_NAMES_MAX\`) with ${reports("REPORTED_BYTES_MAX").mib} of names (\`REPORTED_BYTES_MAX\`), none above ${reports("REPORTED_NAME_BYTES_MAX").count} bytes`,
];

/** Sentences of further pages that contain numbers, by page. */
const FURTHER: Readonly<Record<string, readonly string[]>> = {
  "docs/consistency.md": [
    `signs the read up to ${client("SIGNATURES_MAX").plain} times`,
    `The client tracks a write for ${of("client/version-2/consistency-session")("SESSION_MS").s}`,
    `name it within ${known("KNOWN_MS").minutes}: a daemon knows older ones only if they are among the last ${known("KNOWN_LONGER").count}`,
    `gives \`late\` answers for up to ${limits.future.s}`,
    `whose link is cut, after ${limits.silenceMs.s}. Each daemon reports at most ${reports("REPORTED_NAMES_MAX").count} channels and patterns with ${reports("REPORTED_BYTES_MAX").mib} of names, none above ${reports("REPORTED_NAME_BYTES_MAX").count} bytes`,
    `with at most ${textsOf(PATTERNS_COMPARED).count} patterns of other daemons`,
    `call fails after ${delayed("STABLE_MS_MAX").s}, or after a shorter`,
    `did not arrive within ${of("faces/nats-order/order-recorder")("WAIT_MS_MAX").s}`,
    `dated more than ${later("FOLD_AHEAD_MS").s} ahead of the daemon's clock`,
    `a period of more than ${limits.standstillMs.s} (\`--standstill\`)`,
    `and at most ${limits.catchUpMs.s}. Meanwhile`,
    `from most of its peers for ${silence.s} also marks`,
    `those that wait are answered [after ${silence.s}](`,
    `from a majority for ${silence.s} of its running time (\`--standstill\` and ${limits.statusEveryMs.s}) ends the waits`,
    `if it reaches no peer for ${limits.catchUpMs.s} when it starts`,
    `state without the entry for ${limits.catchUpStuckMs.s}`,
    `removes the effect after ${limits.catchUpStuckMs.s}`,
    `(at most ${replaced("DAMAGED_BYTES_MAX").mib})`,
    `clocks by more than ${limits.skewMs.s} accepts no writes`,
    `change only after ${of("daemon/timeline/watermark")("BELIEVED_AFTER_MS").minutes}`,
    `The log names the first ${of("daemon/timeline/lost-entries")("REPORTED_MAX").plain} by date`,
    `of its newest ${of("daemon/timeline/compare/digest-index")("NEWEST_IDS_MAX").count} writes`,
    `at most ${envelope("UNIT_COMMANDS_MAX").count} commands that write or publish`,
  ],
  "docs/setup.md": [
    `dated more than ${ORDER_WINDOW.past / 1000} s before or ${ORDER_WINDOW.future / 1000} s after this time`,
  ],
  "docs/operations.md": [
    `They retry for up to ${of("tools/cli/members/members")("AUTHORIZE_WAIT_MS").s}`,
    `up to ${mirror("BATCH_KEYS_MAX").plain} changed keys, or ${mirror("BATCH_BYTES_MAX").mib}, in one MULTI`,
    `pauses for ${mirror("REST").word} times as long`,
    `the notification connection every ${of("faces/redis-mirror/redis-connections")("PING_INTERVAL_MS").s}`,
    `of its newest ${of("daemon/timeline/compare/digest-index")("NEWEST_IDS_MAX").count} writes`,
    `for at most ${recalls("RECALL_MS_MAX").s}.`,
    `every ${textsOf(LIMITS.snapshotEntries.fallback).count} envelopes`,
  ],
  "docs/sidecar.md": [
    `the timeout of a command, at most ${of("faces/sidecar/signing-backend")("TIMEOUT_MS_MAX").s}`,
    `one envelope of at most ${envelope("UNIT_COMMANDS_MAX").count} commands`,
    `no other daemon answers within ${of("client/shared/connections")("MISS_LINGER_MS").ms}`,
  ],
  "docs/redis-clients.md": [
    `at most ${envelope("UNIT_COMMANDS_MAX").count} commands. Some clients`,
    `accepts at most ${envelope("IF_KEYS_MAX").plain} keys`,
  ],
  "docs/keys.md": [
    `\`LABEL\` is a name of up to ${of("daemon/store/rights/key-record")("LABEL_BYTES_MAX").plain} bytes`,
    `**Limits**: ${of("daemon/store/rights/acl-rules")("RULES_MAX").plain} rules, ${of("daemon/store/rights/acl-rules")("RULES_BYTES_MAX").plain} bytes`,
  ],
  "SECURITY.md": [
    `by default up to ${limits.past.s} in the past and ${limits.future.s} in the future`,
    `dated up to ${limits.future.s} ahead`,
    `dated more than ${limits.future.s} after the start`,
  ],
  "README.md": [`replay it only within ${limits.past.s}`],
};

/** What looks like a limit, but follows from the text itself. */
const NO_LIMITS: readonly string[] = [
  "`members` is above 0",
  "below 2^53",
  "followed by the cure as a second sentence",
  "The last four are nil or empty",
  "rounds UPTO down to a second",
  "The last two fields of an entry",
  "the last 32 of them are `seal`",
  "`not before` above 0",
  "needs at least two such peers",
];

/** A limit, a size or a duration. */
const QUANTITY =
  /(?<![\w.^`])(?:\d[\d,.]*(?: to \d[\d,.]*)? (?:ms|s|KiB|MiB)\b|(?:a|ten|half a) (?:minute|second)s?\b|(?:at most|up to|more than|the last|the first|above|below) (?:\d[\d,^]*\d|\d|two|three|four|eight|sixteen)(?! \d)\b)/gi;

/** Returns the quantities of a text outside all sentences, each with the text around it. */
function uncovered(text: string, sentences: readonly string[]): string[] {
  const covered = sentences.flatMap((sentence) => {
    const starts: number[] = [];
    for (let at = text.indexOf(sentence); at !== -1; at = text.indexOf(sentence, at + 1)) starts.push(at);
    return starts.map((start) => [start, start + sentence.length] as const);
  });
  return [...text.matchAll(QUANTITY)].flatMap(({ 0: found, index }) =>
    covered.some(([start, end]) => start <= index && index + found.length <= end)
      ? []
      : [text.slice(Math.max(0, index - 60), index + found.length + 40)],
  );
}

test("docs/protocol-v2.md states the values of the constants", () => {
  const text = readPage("docs/protocol-v2.md");
  const wrong = PROTOCOL.filter((sentence) => !text.includes(sentence));
  assert.deepEqual(wrong, []);
});

test("each limit, size and duration in docs/protocol-v2.md is compared with a constant", () => {
  assert.deepEqual(uncovered(readPage("docs/protocol-v2.md"), [...PROTOCOL, ...NO_LIMITS]), []);
});

for (const [page, sentences] of Object.entries(FURTHER))
  test(`${page} states the values of the constants`, () => {
    const text = readPage(page);
    const wrong = sentences.filter((sentence) => !text.includes(sentence));
    assert.deepEqual(wrong, []);
  });

test("docs/limits.md states the values of the constants", () => {
  const text = readPage("docs/limits.md");
  const wrong = LIMITS_PAGE.filter((sentence) => !text.includes(sentence));
  assert.deepEqual(wrong, []);
});
