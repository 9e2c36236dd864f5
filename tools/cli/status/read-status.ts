/** Reads the status of daemons and finds problems in it. */
import type { Settings } from "../../../client/settings/client-settings.js";
import { realEnvironment } from "../../../client/shared/client-environment.js";
import { STAGES } from "../../../client/shared/sentences.js";
import type { Address } from "../../../client/shared/server-list.js";
import { type Greeting, readHello } from "../../../client/version-2/single-hello.js";
import { withoutScheme } from "../../../daemon/net/terminal/text-table.js";
import { downMember } from "../../../protocol/figures/away-members.js";
import {
  databaseProblems,
  INCOMPLETE,
  isDescribedElsewhere,
  ORDER_RULES,
  type PreciseReports,
  stateProblems,
} from "../../../protocol/figures/daemon-problems.js";
import { type Problem, problemsBy, type Rules, type Severity } from "../../../protocol/figures/problem.js";
import {
  type Diagnosis,
  diagnose,
  type MemberAvailability,
  stuckCatchingUp,
} from "../../../protocol/figures/timeline-problems.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import { KNOWS_SIGNED } from "../../../protocol/version-2/messages-v2.js";
import { showProgressText } from "../shared/progress.js";
import {
  type FiguresAnswer,
  type MemberStatus,
  type OrderFigures,
  readDaemonFigures,
  readTimelines,
  type TimelineStatus,
} from "./daemon-figures.js";
import { type ShownDaemon, short } from "./report-tables.js";

/**
 * Maximum difference of a daemon's clock, in milliseconds. If the clocks of two daemons differ more, they may not both
 * accept an envelope.
 */
export const MAX_CLOCK_DIFFERENCE_MS = 2_000;

export const CLOCK_FIX = "set both clocks by NTP";

/** Sends a hello to all daemons, and queries their figures. */
async function readWorkStatus(settings: Settings): Promise<DaemonStatus[]> {
  const daemons = await readStatus(settings);
  const figures = await readDaemonFigures(
    settings,
    daemons.map((daemon) => canBeQueried(settings, daemon)),
  );
  return daemons.map((daemon, index) => withFigures(daemon, figures[index] as FiguresAnswer));
}

/** Whether the daemon accepts envelopes of this client. A daemon without a cluster has no keys. */
const canBeQueried = ({ key }: Settings, { versions, cluster, clusterDiffers }: DaemonStatus): boolean =>
  versions.includes(2) && (key === null || cluster !== null) && !clusterDiffers;

/** Sends a hello to all daemons, and queries their figures and timelines. */
export async function readFullStatus(settings: Settings): Promise<DaemonStatus[]> {
  const daemons = await readWorkStatus(settings);
  const ids = daemons.map((one) => (one.members !== null && canBeQueried(settings, one) ? one.daemon : null));
  const answers = await readTimelines(settings, ids);
  const timelines = answers.map(({ timeline }) => timeline);
  const now = realEnvironment.wallClock();
  const full = daemons.map((daemon, index) => {
    const timeline = timelines[index] ?? null;
    const timelineNote = answers[index]?.note ?? daemon.timelineNote;
    if (timeline === null) return { ...daemon, timelineNote };
    const others = timelines.filter((other) => other !== null && other !== timeline) as TimelineStatus[];
    const availabilityOf = (member: MemberStatus) => availability(member, daemons, timelines);
    return withTimeline(daemon, timeline, diagnose(timeline, { others, now, availabilityOf }), now);
  });

  return withoutRepeats(full);
}

/** Removes the reports of a member that is down, except the first: they name all daemons that see it. */
export function withoutRepeats(daemons: readonly DaemonStatus[]): DaemonStatus[] {
  const reported = new Set<string>();
  return daemons.map((daemon) => ({
    ...daemon,
    problems: daemon.problems.filter((problem) => {
      const member = downMember(problem);
      const isNew = member === null || !reported.has(member);
      if (member !== null) reported.add(member);
      return isNew;
    }),
  }));
}

/** Returns the status of a member that was also queried itself, or null if it was not queried. */
function availability(
  { id, address }: MemberStatus,
  daemons: readonly DaemonStatus[],
  timelines: readonly (TimelineStatus | null)[],
): MemberAvailability {
  const index = daemons.findIndex(
    (one) => (id !== null && one.daemon === id) || withoutScheme(one.address) === withoutScheme(address),
  );
  const member = daemons[index];
  if (member === undefined) return null;
  if (member.stage !== null) return "away";
  return member.progress.length > 0 || timelines[index] === null ? "busy" : "ready";
}

/** Adds the figures that a daemon reports to administrators, and the problem of a database that does not answer. */
export function withFigures(daemon: DaemonStatus, { figures, missing, note }: FiguresAnswer): DaemonStatus {
  if (missing === null) return withOrder({ ...daemon, figures, timelineNote: note }, figures?.order ?? null);
  const { problems: others } = withoutState(daemon, { ...NO_REPORTS, isDatabaseNamed: true });
  const problems = [...others, ...databaseProblems(missing)];
  return { ...daemon, figures, timelineNote: note, hasNoDatabase: true, problems, ok: false };
}

function withOrder(daemon: DaemonStatus, order: OrderFigures | null): DaemonStatus {
  const found = order === null ? [] : problemsBy(ORDER_RULES, order);
  const of = (kind: Severity) => found.filter(({ severity }) => severity === kind);
  const isStreamNamed = order !== null && order.trouble !== null;
  const plain = withoutState(daemon, { ...NO_REPORTS, isStreamNamed });

  const problems = [...plain.problems, ...of("problem")];
  return {
    ...plain,
    problems,
    remarks: [...daemon.remarks, ...of("remark")],
    progress: [...daemon.progress, ...of("progress")],
    ok: isHealthy(problems),
  };
}

const NO_REPORTS: PreciseReports = {
  hasTimeline: false,
  isRefusalNamed: false,
  isDatabaseNamed: false,
  isStreamNamed: false,
};

/** Removes the problem that follows from a daemon's state, if another report describes it more precisely. */
function withoutState(daemon: DaemonStatus, reports: PreciseReports): DaemonStatus {
  const { state } = daemon;
  if (state === null || !isDescribedElsewhere(state, reports)) return daemon;
  const texts = new Set(stateProblems(state).map(({ text }) => text));
  const isOther = ({ text }: Problem) => !texts.has(text);
  return { ...daemon, problems: daemon.problems.filter(isOther), remarks: daemon.remarks.filter(isOther) };
}

/** Adds a daemon's timeline and the problems found in it. */
export function withTimeline(
  daemon: DaemonStatus,
  timeline: TimelineStatus,
  found: Diagnosis,
  now: number,
): DaemonStatus {
  const isRefusalNamed = timeline.notAdmitted !== null;
  const plain = withoutState(daemon, { ...NO_REPORTS, hasTimeline: true, isRefusalNamed });
  const isCatchingUp = ({ text }: Problem) => text === INCOMPLETE;
  const still = plain.progress.some(isCatchingUp) ? stuckCatchingUp(timeline, now) : null;
  const continuing = still === null ? plain.progress : plain.progress.filter((one) => !isCatchingUp(one));
  const problems = [...plain.problems, ...(still === null ? [] : [still]), ...found.problems];
  const remarks = [...plain.remarks, ...found.remarks];
  const progress = [...continuing, ...found.progress];
  return { ...plain, timeline, problems, remarks, progress, ok: isHealthy(problems) };
}

/** Whether a daemon itself has no problem; problems of its members do not count. */
const isHealthy = (problems: readonly Problem[]): boolean => problems.every(({ isOfMember }) => isOfMember);

/** Greets all daemons and returns their status. */
export async function readStatus(settings: Settings): Promise<DaemonStatus[]> {
  const { servers, timeout, cluster } = settings;
  const greetings = await Promise.all(servers.map((address) => readHello(address, realEnvironment, timeout)));
  const clusters = greetings.map(clusterIdOf).filter((each) => each !== null);
  const expected = cluster === "" ? mostFrequent(clusters) : cluster;
  const ids = greetings.map((greeting) => (greeting.kind === "hello" ? greeting.hello.daemon : ""));

  return greetings.map((greeting, index) => {
    const server = servers[index];
    const found = clusterIdOf(greeting);
    const clusterDiffers = found !== null && found !== expected;
    const other =
      cluster === ""
        ? "but most daemons belong to another one"
        : `not to ${short(cluster)}, as the option cluster requires`;
    const twin = ids.findIndex((id, other) => id !== "" && id === ids[index] && other !== index);

    const findings = findingsOf({
      greeting,
      foreign: clusterDiffers ? [short(found), other] : null,
      needs2: needsVersion2(settings, server),
      isSigned: settings.key !== null,
      isSentVersion1: isSentVersion1(settings, server),
      twin: servers[twin]?.text ?? null,
    });

    const defaults = { timeline: null, timelineNote: null, figures: null, hasNoDatabase: false };
    return {
      address: server?.text ?? "",
      ok: isHealthy(findings.problems),
      ...factsOf(greeting),
      ...defaults,
      clusterDiffers,
      ...findings,
    };
  });
}

function factsOf(greeting: Greeting) {
  const unknown = {
    versions: [],
    daemon: null,
    cluster: null,
    state: null,
    members: null,
    clockDifference: null,
    roundTrip: null,
  };

  if (greeting.kind === "failed") return { ...unknown, stage: greeting.stage, detail: greeting.detail };
  if (greeting.kind === "closed") return { ...unknown, versions: [1], stage: null, detail: null };
  const { versions, daemon, state, members } = greeting.hello;
  return {
    versions,
    daemon: hexOf(daemon),
    cluster: clusterIdOf(greeting),
    state: state === "" ? null : state,
    members,
    clockDifference: rounded(greeting.clockDifference),
    roundTrip: rounded(greeting.roundTrip),
    stage: null,
    detail: null,
  };
}

/** Returns the cluster of a daemon, hexadecimal, or null if it has no keys and accepts unsigned commands. */
function clusterIdOf(greeting: Greeting): string | null {
  if (greeting.kind !== "hello" || greeting.hello.cluster === "") return null;
  return hexOf(greeting.hello.cluster);
}

/** A daemon's greeting, with what it is compared with. */
export interface GreetingCase {
  readonly greeting: Greeting;
  /** The daemon's cluster, and how it differs from the expected one, or null if it does not. */
  readonly foreign: readonly [cluster: string, difference: string] | null;
  /** Whether this client sends commands to the server only as version 2, signed, or as version 1 although signed. */
  readonly needs2: boolean;
  readonly isSigned: boolean;
  readonly isSentVersion1: boolean;
  /** Another address of the same daemon, or null. */
  readonly twin: string | null;
}

/** The problems that follow from a daemon's greeting, apart from those of its state. */
export const GREETING_RULES = {
  onlyVersion1: {
    when: ({ greeting, needs2 }) => greeting.kind === "closed" && needs2,
    says: STAGES.version.meaning,
    fix: `update it; ${STAGES.version.cure}`,
    severity: "problem",
    alarm: null,
    steps: "Update that daemon, or allow version 1: [Troubleshooting](troubleshooting.md)",
  },
  noKeys: {
    when: ({ greeting, needs2, isSigned }) =>
      greeting.kind === "hello" && needs2 && isSigned && !acceptsSigned(greeting),
    says: "it has no keys, and accepts no signed commands",
    fix: "start it with -s public.pem, or send commands unsigned",
    severity: "problem",
    alarm: null,
    steps: "Start it with `sign-key`, or send commands unsigned",
  },
  foreignCluster: {
    when: ({ foreign }) => foreign !== null && [foreign],
    says: "it belongs to the cluster …, …",
    fix: "start all daemons with the same -s, --root-key and --cluster-name",
    severity: "problem",
    alarm: null,
    steps:
      "Start all daemons with the same `sign-key`, `root-key` and `cluster-name`, or correct the list of servers",
  },
  clockDiffers: {
    when: ({ greeting }) =>
      greeting.kind === "hello" &&
      Math.abs(greeting.clockDifference) > MAX_CLOCK_DIFFERENCE_MS && [[clockText(greeting.clockDifference)]],
    says: "its clock is … this machine's",
    fix: CLOCK_FIX,
    severity: "problem",
    alarm: null,
    steps: "Run `chronyc tracking` on both machines",
  },
  sameDaemon: {
    when: ({ twin }) => twin !== null && [[twin]],
    says: "it is the same daemon as …",
    fix: "list it only once (-s)",
    severity: "remark",
    alarm: null,
    steps: "List it only once",
  },
  sentVersion1: {
    when: ({ greeting, isSentVersion1 }) => acceptsSigned(greeting) && isSentVersion1,
    says: "it speaks version 2, but commands are sent to it as version 1",
    fix: "remove version 1 from the option versions and from the list of servers",
    severity: "remark",
    alarm: null,
    steps: "Remove version 1 from the option `versions` and from the list of servers",
  },
} as const satisfies Rules<GreetingCase>;

/** Returns the problems that follow from a greeting, or from its failure. */
export function findingsOf(subject: GreetingCase): Pick<DaemonStatus, "problems" | "remarks" | "progress"> {
  const { greeting } = subject;
  const state = greeting.kind === "hello" ? greeting.hello.state : "";
  // A daemon that no peer admits has one cause, which the difference of the clusters names.
  const isExplained = state === "not-admitted" && subject.foreign !== null;
  const ofState = state === "" || isExplained ? [] : stateProblems(state);
  const { onlyVersion1, noKeys, foreignCluster, clockDiffers, sameDaemon, sentVersion1 } = GREETING_RULES;

  const problems =
    greeting.kind === "failed"
      ? [failure(greeting)]
      : [
          ...problemsBy({ onlyVersion1, noKeys }, subject),
          ...ofState.filter(({ severity }) => severity === "problem"),
          ...problemsBy({ foreignCluster, clockDiffers }, subject),
        ];
  const remarks = problemsBy({ sameDaemon, sentVersion1 }, subject);
  return { problems, remarks, progress: ofState.filter(({ severity }) => severity === "progress") };
}

function failure({ stage, detail }: Extract<Greeting, { kind: "failed" }>): Problem {
  const { meaning, cure } = STAGES[stage];
  const problem = (text: string, fix: string): Problem => ({
    code: stage,
    member: "",
    text,
    fix,
    severity: "problem",
    isOfMember: false,
  });

  // The detail of a TLS error contains more precise advice.
  if (stage === "tls" && detail !== "") return problem(`tls: ${meaning}`, detail);
  return problem(`${stage}: ${meaning}${detail === "" ? "" : ` (${detail})`}`, cure);
}

/** Whether this client sends commands to the server only as version 2. */
function needsVersion2({ key, versions }: Settings, server: Address | undefined): boolean {
  const allowed = server?.versions ?? versions;
  return allowed === null ? key !== null : allowed === "2";
}

function acceptsSigned(greeting: Greeting): boolean {
  return greeting.kind === "hello" && greeting.hello.knows.includes(KNOWS_SIGNED);
}

/** Whether this client sends signed commands to the server only as version 1. */
function isSentVersion1({ key, versions }: Settings, server: Address | undefined): boolean {
  return key !== null && (server?.versions ?? versions) === "1";
}

/** Describes a difference of clocks, such as `its clock is 3 ms behind this machine's`. */
export const describeClock = (difference: number): string =>
  GREETING_RULES.clockDiffers.says.replace("…", clockText(difference));

function clockText(difference: number): string {
  const size = Math.abs(difference);
  const shown = size < 10_000 ? `${size.toFixed(0)} ms` : `${(size / 1000).toFixed(0)} s`;
  return `${shown} ${difference < 0 ? "behind" : "ahead of"}`;
}

/** Returns the most frequent value, or null if no value is more frequent than all others. */
function mostFrequent(values: readonly string[]): string | null {
  let best: string | null = null;
  let bestCount = 0;
  for (const value of new Set(values)) {
    const count = values.filter((other) => other === value).length;
    if (count === bestCount) best = null;
    if (count > bestCount) [best, bestCount] = [value, count];
  }
  return best;
}

/** Rounds to a tenth. */
function rounded(ms: number): number {
  return Math.round(ms * 10) / 10;
}

/** The status of a daemon as --json prints it. Ids are hexadecimal, times in milliseconds, unknown values null. */
export interface DaemonStatus extends ShownDaemon {
  /**
   * Number of daemons with which this daemon exchanges commands, or null if it has no timeline or speaks only version
   * 1.
   */
  readonly members: number | null;
  readonly detail: string | null;
  /** The daemon's report on its timeline and members, or null if it has no timeline or does not report it. */
  readonly timeline: TimelineStatus | null;
  /** The reason why the report is incomplete, or null if it is complete. */
  readonly timelineNote: string | null;
  /** Problems that an operator must fix. */
  readonly problems: readonly Problem[];
  /** Remarks about states that may be intended. */
  readonly remarks: readonly Problem[];
  /** Work in progress, such as catching up, with advice in case it does not end. */
  readonly progress: readonly Problem[];
}

/** Time between two updates, in milliseconds. */
const UPDATE_EVERY_MS = 500;

/**
 * Reads the status of daemons until no work is in progress, and shows the work until then. Returns the first status
 * for which `textOf` returns null, or the last status before the time limit.
 * @param milliseconds the time limit
 * @param textOf returns a line that says what the program waits for, or null if there is nothing to wait for
 */
export async function readStatusUntilIdle(
  settings: Settings,
  milliseconds: number,
  textOf: (daemons: readonly DaemonStatus[]) => string | null,
): Promise<readonly DaemonStatus[]> {
  const end = realEnvironment.now() + milliseconds;
  using steps = showProgressText();
  for (;;) {
    const daemons = await readFullStatus(settings);
    const text = textOf(daemons);
    const remaining = end - realEnvironment.now();
    if (text === null || remaining <= 0) return daemons;
    steps.show(text);
    await new Promise((resolve) => setTimeout(resolve, Math.min(remaining, UPDATE_EVERY_MS)));
  }
}
