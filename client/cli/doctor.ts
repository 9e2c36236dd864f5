/** `dbsync doctor`: looks at everything between this machine and an answer, and names what to mend first. */
import { statSync } from "node:fs";
import type { Command } from "commander";
import { openClient } from "../dbsync-send.js";
import { type Defaults, readDefaults, realPlaces } from "../defaults.js";
import { describeOutcome, type Outcome, STAGES } from "../errors.js";
import type { Settings } from "../options.js";
import { isFile, loadSigningKey } from "../signing-key.js";
import { addClientOptions, type ClientFlags, readSettings } from "./client-options.js";
import { EXIT, exitCodeHelp } from "./exit-codes.js";

/** Later versions refuse commands dated otherwise than a daemon's clock; beyond this, NTP is not at work. */
const MAX_CLOCK_DIFFERENCE_MS = 2_000;

/** One line of the report. `fix` is what to do, for WARN and FAIL. */
interface Finding {
  readonly grade: "OK" | "WARN" | "FAIL";
  readonly subject: string;
  readonly text: string;
  readonly fix?: string;
}

export function addDoctor(program: Command): void {
  addClientOptions(program.command("doctor").description("find out why it does not work"))
    .addHelpText(
      "after",
      `
Looks at the configuration, the key file and its mode, and at each server: is its name resolved, is it
reached, does it accept the signature, is its clock right. The last line names the first thing to mend.

Examples:
  dbsync doctor
  dbsync doctor -s 10.0.0.1,10.0.0.2 -k private.pem
${exitCodeHelp("a check failed")}`,
    )
    .action(doctor);
}

async function doctor(flags: ClientFlags): Promise<void> {
  const findings: Finding[] = [];
  const add = (finding: Finding) => {
    findings.push(finding);
    process.stdout.write(`${finding.grade.padEnd(4)}  ${finding.subject}: ${finding.text}\n`);
  };
  const settings = examineSettings(flags, add);
  if (settings !== null && examineKey(settings, add)) await examineServers(settings, add);
  const worst =
    findings.find(({ grade }) => grade === "FAIL") ?? findings.find(({ grade }) => grade === "WARN");
  process.stdout.write(
    worst === undefined ? "All is well.\n" : `First fix: ${worst.subject}: ${worst.fix}\n`,
  );
  if (worst?.grade === "FAIL") process.exitCode = EXIT.failed;
}

function examineSettings(flags: ClientFlags, add: (finding: Finding) => void): Settings | null {
  let defaults: Defaults | null = null;
  try {
    const settings = readSettings(flags, () => (defaults ??= readDefaults(realPlaces())));
    const servers = settings.servers.map(({ text }) => text).join(", ");
    const from = (flag: unknown, origin: keyof Defaults) =>
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
    return null;
  }
}

/** What the report says of a key. It may be read by others, so PEM text is not shown. */
function shownKey(key: Settings["key"]): string {
  if (key === null) return "none, commands are sent unsigned";
  return isFile(key) ? key : "given as PEM text";
}

function modeOf(file: string): string {
  return (statSync(file).mode & 0o777).toString(8).padStart(4, "0");
}

/** Whether commands can be signed as the settings ask. */
function examineKey(settings: Settings, add: (finding: Finding) => void): boolean {
  if (settings.key === null) return true;
  try {
    const { fingerprint, warnings } = loadSigningKey(settings);
    const mode = isFile(settings.key) ? `, mode ${modeOf(settings.key)}` : "";
    add({ grade: "OK", subject: "key", text: `usable${mode}, fingerprint ${fingerprint}` });
    for (const warning of warnings) add({ grade: "WARN", subject: "key", text: warning, fix: warning });
    return true;
  } catch (error) {
    const text = (error as Error).message;
    add({ grade: "FAIL", subject: "key", text, fix: text });
    return false;
  }
}

async function examineServers(settings: Settings, add: (finding: Finding) => void): Promise<void> {
  // What opening the key warns of is in the report already.
  const { client } = openClient(settings, () => {});
  const pings = await client.sendAll("PING");
  for (const ping of pings.outcomes) examinePing(ping, settings.key !== null, add);
  if (pings.outcomes.every(({ status }) => status === "failed")) return;
  const before = Date.now();
  const times = await client.sendAll("TIME");
  for (const [index, time] of times.outcomes.entries()) {
    // Half-way between question and answer.
    if (pings.outcomes[index]?.status === "ok") examineClock(time, before + time.ms / 2, add);
  }
}

function examinePing(outcome: Outcome, signed: boolean, add: (finding: Finding) => void): void {
  const subject = outcome.address;
  if (outcome.status === "failed") {
    add({
      grade: "FAIL",
      subject,
      text: describeOutcome(outcome).slice(subject.length + 2),
      fix: outcome.stage === "no-reason" ? refusalCure(signed) : STAGES[outcome.stage].cure,
    });
    return;
  }
  const accepted = signed ? "accepts the signature" : "accepts unsigned commands";
  add({ grade: "OK", subject, text: `resolved, reached, ${accepted}, ${outcome.ms.toFixed(1)} ms` });
}

/** A PING is no command error, so fewer causes are left than for any other command. */
function refusalCure(signed: boolean): string {
  return signed
    ? 'it refused a signed PING: compare the fingerprint above with "key accepted" in its log. ' +
        "If they are equal, its database is down; if there is none, it runs without -s"
    : "it refused an unsigned PING: name the private key (-k, DBSYNC_SIGNKEY, dbsync.signkey). " +
        "If it runs without -s, its database is down; see its log";
}

/** Version 1 tells no time of its own, but the command TIME does: seconds and microseconds, a line each. */
function examineClock(outcome: Outcome, localTime: number, add: (finding: Finding) => void): void {
  const subject = outcome.address;
  const time = outcome.status === "ok" ? /^(\d+)\n(\d+)$/.exec(outcome.value ?? "") : null;
  if (time === null) {
    const fix = "compare the clocks by hand; this daemon does not answer TIME";
    add({ grade: "WARN", subject, text: "its clock is not known: no answer to TIME", fix });
    return;
  }
  const difference = Number(time[1]) * 1000 + Number(time[2]) / 1000 - localTime;
  const direction = difference < 0 ? "behind" : "ahead of";
  const text = `its clock is ${Math.abs(difference).toFixed(0)} ms ${direction} this machine's`;
  if (Math.abs(difference) <= MAX_CLOCK_DIFFERENCE_MS) add({ grade: "OK", subject, text });
  else add({ grade: "FAIL", subject, text, fix: "set both clocks by NTP" });
}
