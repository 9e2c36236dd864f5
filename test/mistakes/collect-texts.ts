/** Collects the texts that all programs print about a mistake, without the parts that differ between runs. */
import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createClient } from "../../client/public-api.js";
import { realEnvironment } from "../../daemon/net/process/clock-and-randomness.js";
import { StartError } from "../../daemon/net/process/service.js";
import { Daemon } from "../../daemon/program/daemon.js";
import { BUILD } from "../../daemon/program/installed-faces.js";
import { readCommandLine } from "../../daemon/program/program.js";
import { runDbsync } from "../client/child.js";
import { keepLog } from "../support/log-lines.js";
import { NAMELESS } from "../support/nameless.js";
import { programPaths } from "../support/programs.js";
import { run } from "../support/run-program.js";
import { until } from "../support/until.js";
import type { Call, Mistake, Reader, ShellCall } from "./mistake.js";
import type { Scene } from "./scene.js";

/** The texts about one mistake, by where each text appears. */
export type Texts = Partial<Record<Reader, string>>;

/**
 * Collects all texts about a mistake, except those of other languages.
 * @param hasShell  whether to run the shell, which starts a process
 */
export async function collectTexts(mistake: Mistake, scene: Scene, hasShell: boolean): Promise<Texts> {
  const texts: Texts = {};
  const call = mistake.call?.(scene);
  if (call !== undefined)
    texts.Node = await (mistake.isWarning ? warnedOf(() => called(call)) : byNode(() => called(call)));
  if (mistake.node !== undefined) texts.Node = await byNode(() => mistake.node?.(scene));
  const shell = mistake.shell?.(scene) ?? (call === undefined ? undefined : shellCall(call));
  if (shell !== undefined && hasShell)
    texts.shell = await byShell(shell, scene, mistake.isWarning ? "done" : "failed");
  if (mistake.daemon !== undefined) texts.dbsyncd = await byDaemon(mistake, scene);
  if (mistake.log !== undefined) texts.log = await inLog(mistake.log, scene);
  return Object.fromEntries(Object.entries(texts).map(([reader, text]) => [reader, plain(text, scene)]));
}

async function called({ servers, key, command, options }: Call): Promise<void> {
  await using client = createClient({ servers, key, ...options });
  await client.send(command);
}

async function byNode(act: () => unknown): Promise<string> {
  try {
    await act();
  } catch (error) {
    return (error as Error).message;
  }
  return assert.fail("the call succeeded");
}

async function warnedOf(act: () => Promise<unknown>): Promise<string> {
  const warnings: string[] = [];
  const note = ({ name, message }: Error) => void (name === "DbsyncWarning" && warnings.push(message));
  process.on("warning", note);
  try {
    await act();
    await until("a warning", () => warnings.length > 0);
    return warnings.join("; ");
  } finally {
    process.off("warning", note);
  }
}

function shellCall({ servers, key, command, options = {} }: Call): ShellCall {
  const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const argv = typeof command === "string" ? [command] : command.map(String);
  return { words: ["send", "-s", servers, "-k", key, ...flags, ...argv] };
}

async function byShell(
  { words, variables = {}, ini, program }: ShellCall,
  scene: Scene,
  end: "done" | "failed",
): Promise<string> {
  const folder = mkdtempSync(join(scene.folder, "at-"));
  if (ini !== undefined) writeFileSync(join(folder, "dbsync.ini"), ini);
  const { code, stderr } =
    program === undefined
      ? await runDbsync(words, { folder, variables })
      : await run(process.execPath, [programPaths[program], ...words], { cwd: folder });
  assert.equal(code === 0, end === "done", stderr);
  return stderr.replaceAll(`${folder}/`, "").trimEnd();
}

async function byDaemon(mistake: Mistake, scene: Scene): Promise<string> {
  const { words, variables = {}, toml } = mistake.daemon?.(scene) ?? assert.fail();
  const file = join(mkdtempSync(join(scene.folder, "of-")), "dbsyncd.toml");
  if (toml !== undefined) writeFileSync(file, toml);
  const config = toml === undefined ? [] : ["--config", file];
  const port = words.includes("-p") ? [] : ["-p", "0"];
  try {
    const task = await readCommandLine([...config, ...words, ...port], variables, BUILD.faces);
    assert.ok(task.kind === "run");
    const { log } = keepLog("info");
    const daemon = new Daemon({ ...BUILD, settings: task.settings, environment: realEnvironment, log });
    await daemon.start();
    await daemon.stop();
  } catch (problem) {
    if (!(problem instanceof StartError)) throw problem;
    return `dbsyncd: ${problem.message}`.replaceAll(file, "dbsyncd.toml");
  }
  return assert.fail("the daemon started");
}

/** The log fields that describe the fault. The remaining fields differ between runs. */
const FACTS = ["reason", "detail", "key", "command", "database", "server", "address", "code"];

async function inLog({ of, line }: NonNullable<Mistake["log"]>, scene: Scene): Promise<string> {
  const found = () => of(scene).findLast((each) => line.test(JSON.stringify(each)));
  await until(`a line of the log with ${line}`, () => found() !== undefined);
  const facts = Object.entries(found() as Record<string, unknown>);
  const shown = facts.filter(([name]) => FACTS.includes(name)).map(([name, value]) => `${name}: ${value}`);
  const { level, msg } = found() as { level: string; msg: string };
  return `${level}: ${msg}${shown.length > 0 ? ` (${shown.join(", ")})` : ""}`;
}

/** Replaces folders, ports, keys, process ids and times, which differ between runs. */
export function plain(text: string, { folder, at }: Scene): string {
  const ports = Object.values(at).map((address) => address.split(":")[1] as string);
  return (
    text
      .replaceAll(`${folder}/./`, "")
      .replaceAll(`${folder}/`, "")
      .replaceAll(folder, ".")
      .replaceAll(NAMELESS, "db1.exmaple")
      .replace(/127\.0\.0\.1:(?!(?:99999|3306)\b)\d+/g, "127.0.0.1:1111")
      .replace(/\bport (\d+)/g, (all, port: string) => (ports.includes(port) ? "port 1111" : all))
      .replace(/\b(?!(?:ab){32})[\da-f]{64}\b/g, "9f2c…")
      .replace(/(?:ab){32}/g, "abab…")
      .replace(/x{20,}/g, "xxx…")
      .replace(/in use by process \d+/g, "in use by process 4711")
      // The error follows a hello, whose length depends on the client.
      .replace(/at byte [1-9]\d+/g, "at byte 86")
      .replace(/it is \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ/g, "it is 2027-01-31 12:00:00Z")
      .replace(/\w{3} +\d+ \d\d:\d\d:\d\d \d{4} GMT/g, "Jan 31 12:00:00 2027 GMT")
  );
}
