/**
 * `dbsync doctor`: checks everything that a call needs, from the configuration to the daemons, and names the first
 * thing to fix.
 */
import { statSync } from "node:fs";
import type { Command } from "commander";
import { openClient } from "../../../client/dbsync-send.js";
import type { OutboxClient } from "../../../client/outbox-client.js";
import type { Settings } from "../../../client/settings/client-settings.js";
import type { Defaults } from "../../../client/settings/default-options.js";
import {
  type EnvelopeSigner,
  isFile,
  loadSigningKey,
  publicKeyOf,
} from "../../../client/settings/signing-key.js";
import { DbsyncError, type Outcome } from "../../../client/shared/errors.js";
import { outcomeCure, STAGES } from "../../../client/shared/sentences.js";
import type { Address } from "../../../client/shared/server-list.js";
import type { Tone } from "../../../daemon/net/terminal/terminal-text.js";
import { KEY_BITS } from "../../../keys/generate-keys.js";
import { bytesOf } from "../../../protocol/byte-string.js";
import { tripText } from "../../../protocol/figures/amount-texts.js";
import type { Problem, Severity } from "../../../protocol/figures/problem.js";
import { HASH_BYTES } from "../../../protocol/version-2/envelope.js";
import { addClientOptions, type ClientFlags, defaultsFor, readSettings } from "../shared/client-options.js";
import { EXIT, exitCodeHelp, exitCodeOf } from "../shared/exit-codes.js";
import { JSON_FLAG, printJson, printSentence } from "../shared/output.js";
import { isDenied } from "../shared/ping-result.js";
import {
  CLOCK_FIX,
  type DaemonStatus,
  describeClock,
  MAX_CLOCK_DIFFERENCE_MS,
  readStatusUntilIdle,
} from "./read-status.js";
import { short } from "./report-tables.js";
import { progressText } from "./status-text.js";

export function addDoctor(program: Command): void {
  addClientOptions(program.command("doctor").description("find out why calls fail"))
    .option(JSON_FLAG, 'print JSON: {"findings": […], "firstFix": … or null, "notes": […]}')
    .addHelpText(
      "after",
      `
Checks the configuration, the key file and its mode. For each server it checks that the name resolves, the server is
reachable, speaks a suitable version, belongs to the same cluster, has the right time and accepts the signature. With an
administrator's key it also reports the problems that dbsync status finds with disks, members, mirrors, dead letters and
differing states. WAIT is temporary, for example a daemon that is catching up. The last line names the first thing to fix.

Examples:
  dbsync doctor
  dbsync doctor -s 10.0.0.1,10.0.0.2 -k private.pem
${exitCodeHelp("a check failed")}`,
    )
    .action(doctor);
}

/**
 * Returns the finding to fix first: the first failure that is not only another daemon's view of a server that fails
 * itself, otherwise the first failure or warning; undefined if there is none.
 */
export function firstToFix(findings: readonly Finding[]): Finding | undefined {
  const failures = findings.filter(({ grade }) => grade === "FAIL");
  const isView = ({ subject, text }: Finding) =>
    failures.some((other) => other.subject !== subject && text.includes(other.subject));
  return (
    failures.find((failure) => !isView(failure)) ??
    failures[0] ??
    findings.find(({ grade }) => grade === "WARN")
  );
}

const TONES = {
  OK: "plain",
  NOTE: "plain",
  WAIT: "warn",
  WARN: "warn",
  FAIL: "bad",
} as const satisfies Record<Finding["grade"], Tone>;

async function doctor(flags: ClientFlags): Promise<void> {
  const findings: Finding[] = [];
  const add = (finding: Finding) => {
    findings.push(finding);
    const { grade, subject, text } = finding;
    if (!flags.json) printSentence(`${grade.padEnd(4)}  ${subject}: ${text}`, TONES[grade]);
  };

  const settings = examineSettings(flags, add);
  const notes = settings !== null && examineKey(settings, add) ? await examineServers(settings, add) : [];
  const worst = firstToFix(findings);
  const firstFix = worst === undefined ? null : `${worst.subject}: ${worst.fix}`;
  if (flags.json) printJson({ findings, firstFix, notes });
  else {
    for (const note of notes) printSentence(`(${note})`, "plain");
    if (firstFix !== null) printSentence(`First fix: ${firstFix}`, "head");
    else printSentence(passedText(findings, notes), "good");
  }

  // An unusable configuration or key has already set its exit code.
  if (worst?.grade === "FAIL") process.exitCode ??= EXIT.failed;
}

/** Returns the last line if there is nothing to fix. */
function passedText(findings: readonly Finding[], notes: readonly string[]): string {
  if (findings.some(({ grade }) => grade === "WAIT")) return "Nothing to fix: what WAIT names is temporary.";
  return notes.length === 0 ? "All checks passed." : "All checks that could run passed.";
}

function examineSettings(flags: ClientFlags, add: Report): Settings | null {
  let defaults: Defaults | null = null;
  try {
    const settings = readSettings(flags, () => (defaults ??= defaultsFor(flags)));
    const servers = settings.servers.map(({ text }) => text).join(", ");
    const from = (flag: unknown, origin: "serversFrom" | "signkeyFrom") =>
      flag === undefined ? defaults?.[origin] : "the command line";
    add({ grade: "OK", subject: "servers", text: `${servers} (from ${from(flags.servers, "serversFrom")})` });
    add({
      grade: "OK",
      subject: "key",
      text: `${shownKey(settings.key)} (from ${from(flags.key, "signkeyFrom")})`,
    });
    return settings;
  } catch (error) {
    const text = (error as Error).message;
    add({ grade: "FAIL", subject: "configuration", text, fix: text });
    process.exitCode = exitCodeOf(error);
    return null;
  }
}

/** Describes a key without its PEM text, because other people may read the report. */
function shownKey(key: Settings["key"]): string {
  if (key === null) return "none, commands are sent unsigned";
  return isFile(key) ? key : "configured as PEM text";
}

function modeOf(file: string): string {
  return (statSync(file).mode & 0o777).toString(8).padStart(4, "0");
}

/** Checks the signing key. @returns whether commands can be signed as the settings require */
function examineKey(settings: Settings, add: Report): boolean {
  if (settings.key === null) return true;
  try {
    const { fingerprint, warnings, signer } = loadSigningKey(settings);
    const mode = isFile(settings.key) ? `, mode ${modeOf(settings.key)}` : "";
    const bits = publicKeyOf(settings)?.asymmetricKeyDetails?.modulusLength ?? 0;
    const time = signer === null || bits <= KEY_BITS[0] ? "" : signingTime(signer, bits);
    add({ grade: "OK", subject: "key", text: `usable${mode}, fingerprint ${fingerprint}${time}` });
    for (const warning of warnings) add({ grade: "WARN", subject: "key", text: warning, fix: warning });
    return true;
  } catch (error) {
    const text = (error as Error).message;
    add({ grade: "FAIL", subject: "key", text, fix: text });
    process.exitCode = exitCodeOf(error);
    return false;
  }
}

const SIGNATURES = 3;

/** Measures the time that each call waits for the signature of a large RSA key. */
function signingTime(signer: EnvelopeSigner, bits: number): string {
  const bytes = Buffer.alloc(HASH_BYTES);
  const startedAt = performance.now();
  for (let i = 0; i < SIGNATURES; i++) signer.sign(bytes, bytesOf(bytes));
  const time = tripText((performance.now() - startedAt) / SIGNATURES);
  return `; RSA with ${bits} bits: a single call waits ${time} for its signature (docs/keys.md names a faster type)`;
}

/** Time that a daemon may take to start or catch up before `dbsync doctor` reports it, in milliseconds. */
const SETTLE_MS = 10_000;

/** Checks all servers. @returns the reasons why some checks were skipped, a sentence each */
async function examineServers(settings: Settings, add: Report): Promise<readonly string[]> {
  const statuses = await readStatusUntilIdle(settings, SETTLE_MS, progressText);
  // Warnings about the key are already in the report.
  const { client } = openClient(settings, () => {});

  const pings = await pingEach(client, settings);
  const isSigned = settings.key !== null;
  for (const [index, ping] of pings.entries()) {
    const status = statuses[index] as DaemonStatus;
    examineStatus(status, settings.servers[index] as Address, add);
    // A server that closes the connection after a hello of version 2 has already been reported.
    const isReported = ping.status === "failed" && ping.stage === "version" && status.problems.length > 0;
    if (status.stage === null && !isReported) examinePing(ping, isSigned, add);
  }

  examineClusters(statuses, add);
  examineSemantics(statuses, add);
  await examineOldClocks(client, { statuses, pings }, add);

  // A daemon without a timeline has little more to report, so its note is left out.
  const unreported = statuses.filter(({ members, timeline }) => members !== null && timeline === null);
  return [...new Set(unreported.flatMap(({ timelineNote }) => timelineNote ?? []))];
}

/**
 * Sends a PING to all servers: together, or separately if they belong to different clusters, because a signature is
 * valid for one cluster only.
 */
async function pingEach(client: OutboxClient, settings: Settings): Promise<readonly Outcome[]> {
  try {
    return (await client.sendAll("PING")).outcomes;
  } catch (error) {
    if (!(error instanceof DbsyncError && error.code === "clusters-differ")) throw error;
  }
  const pings = settings.servers.map(async (server) => {
    const alone = openClient({ ...settings, servers: [server], policy: "first" }, () => {}).client;
    return (await alone.sendAll("PING")).outcomes;
  });
  return (await Promise.all(pings)).flat();
}

function examineStatus(status: DaemonStatus, { tls }: Address, add: Report): void {
  const { address: subject, versions, state, daemon, problems, remarks, progress, clockDifference } = status;
  if (status.stage === null) {
    const spoken =
      versions.length > 1 ? `versions ${versions.join(" and ")}` : `version ${versions.join("")}`;
    // A server that closes the connection after the hello may be any program, so its version is not reported.
    const isHidden = daemon === null && problems.length > 0;
    const details = daemon === null ? "" : `, ${state ?? "no state"}, daemon ${short(daemon)}`;
    add({ grade: "OK", subject, text: `resolved, reached${isHidden ? "" : `, speaks ${spoken}${details}`}` });
    if (tls !== null) {
      const proof = tls.pins.length > 0 ? "its key is pinned" : "its certificate is trusted";
      add({ grade: "OK", subject, text: `encrypted, ${proof}` });
    }
  }

  for (const { text, fix } of problems) add({ grade: "FAIL", subject, text, fix });
  for (const remark of [...remarks, ...progress]) add(remarkOn(subject, remark));
  if (clockDifference !== null && Math.abs(clockDifference) <= MAX_CLOCK_DIFFERENCE_MS)
    add({ grade: "OK", subject, text: describeClock(clockDifference) });
}

/** The grades of lines that name nothing to fix. */
const MILD_GRADES: ReadonlyMap<Severity, "NOTE" | "WAIT"> = new Map([
  ["note", "NOTE"],
  ["progress", "WAIT"],
]);

/** Returns the line about something that does not make a check fail. @param subject  the daemon's address */
export function remarkOn(subject: string, { text, fix, severity }: Problem): Finding {
  const mild = MILD_GRADES.get(severity);
  if (mild !== undefined) return { grade: mild, subject, text: `${text}; ${fix}` };
  return { grade: "WARN", subject, text, fix };
}

function examinePing(outcome: Outcome, isSigned: boolean, add: Report): void {
  const subject = outcome.address;
  if (outcome.status === "ok") {
    const accepted = isSigned ? "accepts the signature" : "accepts unsigned commands";
    add({
      grade: "OK",
      subject,
      text: `${accepted} (version ${outcome.version}), ${tripText(outcome.ms)}`,
    });
    return;
  }

  if (isDenied(outcome)) {
    const text = `knows the key and accepts the signature (version 2), ${tripText(outcome.ms)}; the key's rules do not permit PING`;
    add({ grade: "OK", subject, text });
    return;
  }

  const { stage, detail } = outcome;
  const { meaning, cure } = STAGES[stage];
  // The advice for a refusal depends on its code.
  const general = stage === "refused" ? "" : `; ${cure}`;
  const text = `${stage}: ${meaning}${detail === "" ? "" : ` (${detail})`}${general}`;
  add({ grade: "FAIL", subject, text, fix: cureOf(outcome, isSigned) });
}

function cureOf(outcome: Extract<Outcome, { status: "failed" }>, isSigned: boolean): string {
  if (outcome.stage === "no-reason") return version1Cure(isSigned);
  return outcomeCure(outcome);
}

/** Returns advice for a server of version 1 that closed the connection after a PING. */
function version1Cure(isSigned: boolean): string {
  return isSigned
    ? 'it rejected a signed PING: compare the fingerprint above with "key accepted" in its log. ' +
        "If they are equal, its database is down. If the log has no such line, the daemon runs without -s"
    : "it rejected an unsigned PING: specify the private key (-k, DBSYNC_SIGNKEY, dbsync.signkey). " +
        "If the daemon runs without -s, its database is down; see its log";
}

/** Reports that all daemons belong to one cluster. Differences are already reported for the daemons that differ. */
function examineClusters(statuses: readonly DaemonStatus[], add: Report): void {
  const known = statuses.filter(({ cluster }) => cluster !== null);
  if (known.length < 2 || known.some(({ clusterDiffers }) => clusterDiffers)) return;
  add({
    grade: "OK",
    subject: "cluster",
    text: `${short(known[0]?.cluster ?? null)}, the same on all ${known.length} daemons`,
  });
}

/** If all daemons support a newer version of the semantics than the cluster uses, reports how to use that version. */
export function examineSemantics(statuses: readonly DaemonStatus[], add: Report): void {
  if (statuses.length === 0) return;

  let current = 0;
  let available = Number.POSITIVE_INFINITY;
  for (const { timeline } of statuses) {
    if (timeline === null) return;
    current = Math.max(current, timeline.semantics);
    available = Math.min(available, timeline.availableSemantics);
  }

  if (available <= current) return;
  const commands = Array.from(
    { length: available - current },
    (_, i) => `dbsync send -k root-private.pem --policy all CLUSTER SEMANTICS ${current + 1 + i}`,
  );
  const text = `commands have version ${current} of the semantics; all daemons support ${available}, which later features need. To use them: ${commands.join(", then ")}`;
  add({ grade: "OK", subject: "cluster", text });
}

/**
 * Checks the clocks of daemons whose greeting did not report the time, by the command TIME, which returns seconds and
 * microseconds, one per line.
 */
async function examineOldClocks(
  client: ReturnType<typeof openClient>["client"],
  { statuses, pings }: { statuses: readonly DaemonStatus[]; pings: readonly Outcome[] },
  add: Report,
): Promise<void> {
  const needsTime = (index: number) =>
    statuses[index]?.clockDifference === null && pings[index]?.status === "ok";
  if (!pings.some((_, index) => needsTime(index)) || statuses.some(({ clusterDiffers }) => clusterDiffers))
    return;
  const before = Date.now();
  for (const [index, time] of (await client.sendAll("TIME")).outcomes.entries()) {
    // The answer dates from about halfway between request and reply.
    if (needsTime(index)) examineOldClock(time, before + time.ms / 2, add);
  }
}

function examineOldClock(outcome: Outcome, localTime: number, add: Report): void {
  const subject = outcome.address;
  const time = outcome.status === "ok" ? /^(\d+)\n(\d+)$/.exec(outcome.value ?? "") : null;
  if (time === null) {
    const fix = "compare the clocks yourself; this daemon does not answer TIME";
    add({ grade: "WARN", subject, text: "its clock is unknown, because it does not answer TIME", fix });
    return;
  }
  const difference = Number(time[1]) * 1000 + Number(time[2]) / 1000 - localTime;
  const text = describeClock(difference);
  if (Math.abs(difference) <= MAX_CLOCK_DIFFERENCE_MS) add({ grade: "OK", subject, text });
  else add({ grade: "FAIL", subject, text, fix: CLOCK_FIX });
}

/** A line of doctor's report. `fix` says what to do about a WARN or FAIL; the text of a NOTE or WAIT contains it. */
export interface Finding {
  readonly grade: "OK" | "NOTE" | "WAIT" | "WARN" | "FAIL";
  readonly subject: string;
  readonly text: string;
  readonly fix?: string;
}

/** Receives a finding. */
type Report = (finding: Finding) => void;
