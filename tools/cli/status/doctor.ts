/**
 * `dbsync doctor`: checks everything that a call needs, from the configuration to the daemons, and names the first
 * thing to fix.
 */
import { statSync } from "node:fs";
import type { Command } from "commander";
import type { Settings } from "../../../client/settings/client-settings.js";
import type { Defaults } from "../../../client/settings/default-options.js";
import { isFile, loadSigningKey } from "../../../client/settings/signing-key.js";
import type { Tone } from "../../../daemon/net/terminal/colours.js";
import { addClientOptions, type ClientFlags, defaultsFor, readSettings } from "../shared/client-options.js";
import type { Finding, Report } from "../shared/doctor-finding.js";
import { EXIT, exitCodeHelp, exitCodeOf } from "../shared/exit-codes.js";
import { JSON_FLAG, printJson, printSentence } from "../shared/output.js";
import { examineServers } from "./doctor-servers.js";

export function addDoctor(program: Command): void {
  addClientOptions(program.command("doctor").description("find out why calls fail"))
    .option(JSON_FLAG, 'print JSON: {"findings": […], "firstFix": … or null, "notes": […]}')
    .addHelpText(
      "after",
      `
Checks the configuration, the key file and its mode. For each server it checks that the name resolves, the server is
reachable, speaks a suitable version, belongs to the same cluster, has the right time and accepts the signature. With an
administrator's key it also reports the problems that dbsync status finds with disks, members, mirrors, dead letters and
differing states. The last line names the first thing to fix.

Examples:
  dbsync doctor
  dbsync doctor -s 10.0.0.1,10.0.0.2 -k private.pem
${exitCodeHelp("a check failed")}`,
    )
    .action(doctor);
}

const TONES = { OK: "plain", WARN: "warn", FAIL: "bad" } as const satisfies Record<Finding["grade"], Tone>;

async function doctor(flags: ClientFlags): Promise<void> {
  const findings: Finding[] = [];
  const add = (finding: Finding) => {
    findings.push(finding);
    const { grade, subject, text } = finding;
    if (!flags.json) printSentence(`${grade.padEnd(4)}  ${subject}: ${text}`, TONES[grade]);
  };
  const settings = examineSettings(flags, add);
  const notes = settings !== null && examineKey(settings, add) ? await examineServers(settings, add) : [];
  const worst =
    findings.find(({ grade }) => grade === "FAIL") ?? findings.find(({ grade }) => grade === "WARN");
  const firstFix = worst === undefined ? null : `${worst.subject}: ${worst.fix}`;
  if (flags.json) printJson({ findings, firstFix, notes });
  else {
    for (const note of notes) printSentence(`(${note})`, "plain");
    if (firstFix !== null) printSentence(`First fix: ${firstFix}`, "head");
    else
      printSentence(notes.length === 0 ? "All checks passed." : "All checks that could run passed.", "good");
  }
  // An unusable configuration or key has already set its exit code.
  if (worst?.grade === "FAIL") process.exitCode ??= EXIT.failed;
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
    const { fingerprint, warnings } = loadSigningKey(settings);
    const mode = isFile(settings.key) ? `, mode ${modeOf(settings.key)}` : "";
    add({ grade: "OK", subject: "key", text: `usable${mode}, fingerprint ${fingerprint}` });
    for (const warning of warnings) add({ grade: "WARN", subject: "key", text: warning, fix: warning });
    return true;
  } catch (error) {
    const text = (error as Error).message;
    add({ grade: "FAIL", subject: "key", text, fix: text });
    process.exitCode = exitCodeOf(error);
    return false;
  }
}
