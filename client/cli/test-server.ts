/** `dbsync test`: whether a server of JSON documents does what its clients expect, and how fast. */
import type { Command } from "commander";
import { EXIT, exitCodeHelp } from "./exit-codes.js";
import { connected, JSON_URL_HELP, JsonServer, type JsonServerAddress, readJsonUrl } from "./json-server.js";
import { testJsonServer } from "./json-test.js";
import { jsonReport, type Replica, textReport } from "./json-test-report.js";
import { JSON_FLAG } from "./output.js";

/** A server that says nothing for so long is given up. */
const SILENCE_MS = 10_000;
/** A replica that does not take a connection within it counts as out of reach. */
const REPLICA_MS = 3_000;

interface TestFlags {
  readonly replica?: readonly JsonServerAddress[];
  readonly json?: boolean;
}

export function addTest(program: Command): void {
  program
    .command("test")
    .description("check a server of JSON documents, and time its actions")
    .argument("<url>", JSON_URL_HELP, readJsonUrl)
    .option(
      "--replica <host:port>",
      "a server that has to be in reach too; may be repeated",
      (text, all: readonly JsonServerAddress[] = []) => [...all, readJsonUrl(`json://${text}`)],
    )
    .option(JSON_FLAG, "print the report as JSON")
    .addHelpText(
      "after",
      `
The report of the original's own test client. It works on a document of its own, which it removes.

Examples:
  dbsync test json://127.0.0.1
  dbsync test json://10.0.0.1:8888 --replica 10.0.0.2:8888 --json
${exitCodeHelp("no connection, a check failed, or a replica is out of reach")}`,
    )
    .action(test);
}

async function test(address: JsonServerAddress, { replica = [], json }: TestFlags): Promise<void> {
  using server = await JsonServer.open(address, SILENCE_MS).catch((problem: Error) => {
    throw new Error(`Connect error: ${problem.message}`);
  });
  const report = await testJsonServer(server);
  const replicas: Replica[] = [];
  for (const { host, port } of replica) replicas.push({ host, port, error: await reach(host, port) });
  process.stdout.write((json ? jsonReport : textReport)(report, replicas));
  const isWell = report.checks.every(({ pass }) => pass) && replicas.every(({ error }) => error === "");
  if (!isWell) process.exitCode = EXIT.failed;
}

/** @returns why not; "": it can be reached */
async function reach(host: string, port: number): Promise<string> {
  try {
    (await connected(host, port, REPLICA_MS)).destroy();
    return "";
  } catch (problem) {
    return (problem as Error).message;
  }
}
