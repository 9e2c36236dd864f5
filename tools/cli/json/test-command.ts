/** `dbsync test`: checks that a JSON server behaves as its clients expect, and measures its latency. */
import type { Command } from "commander";
import type { ServerAddress } from "../../../client/shared/server-url.js";
import { CA_HELP } from "../shared/client-options.js";
import { EXIT, exitCodeHelp } from "../shared/exit-codes.js";
import { openSocket } from "../shared/open-socket.js";
import { JSON_FLAG } from "../shared/output.js";
import { withLoadedAuthorities } from "../shared/server-url-argument.js";
import { JSON_URL_HELP, JsonServerClient, readJsonUrl } from "./json-server-client.js";
import { testJsonServer } from "./json-test.js";
import { jsonReport, type Replica, textReport } from "./json-test-report.js";

/** Silence after which a server counts as unreachable, in milliseconds. */
const SILENCE_MS = 10_000;
/** Time within which a reachable replica accepts a connection, in milliseconds. */
const REPLICA_MS = 3_000;

interface TestFlags {
  readonly replica?: readonly ServerAddress[];
  readonly ca?: string;
  readonly json?: boolean;
}

export function addTest(program: Command): void {
  program
    .command("test")
    .description("check a server of JSON documents and measure its latency")
    .argument("<url>", JSON_URL_HELP, readJsonUrl)
    .option(
      "--replica <host:port>",
      "another server that must be reachable (with TLS jsons://host:port); may be repeated",
      (text, all: readonly ServerAddress[] = []) => [...all, readJsonUrl(withScheme(text))],
    )
    .option("--ca <file>", CA_HELP)
    .option(JSON_FLAG, "print the report as JSON")
    .addHelpText(
      "after",
      `
Prints the same report as the test client of the original JSON server. The test uses a temporary document, which it removes.

Examples:
  dbsync test json://127.0.0.1
  dbsync test json://10.0.0.1:8888 --replica 10.0.0.2:8888 --json
  dbsync test jsons://db1.example.org --ca tls-cert.pem
${exitCodeHelp("no connection, a check failed, or a replica cannot be reached")}`,
    )
    .action(test);
}

const withScheme = (text: string) => (text.includes("://") ? text : `json://${text}`);

async function test(address: ServerAddress, { replica = [], ca, json }: TestFlags): Promise<void> {
  const replicaAddresses = replica.map((one) => withLoadedAuthorities(one, ca));
  using server = await JsonServerClient.open(withLoadedAuthorities(address, ca), SILENCE_MS).catch(
    (problem: Error) => {
      throw new Error(`Connect error: ${problem.message}`);
    },
  );
  const report = await testJsonServer(server);
  const replicas: Replica[] = [];
  for (const other of replicaAddresses)
    replicas.push({ host: other.host, port: other.port, error: await reach(other) });
  process.stdout.write((json ? jsonReport : textReport)(report, replicas));
  const hasPassed = report.checks.every(({ pass }) => pass) && replicas.every(({ error }) => error === "");
  if (!hasPassed) process.exitCode = EXIT.failed;
}

/** @returns the reason why the server cannot be reached, or "" if it can be reached */
async function reach(address: ServerAddress): Promise<string> {
  try {
    (await openSocket(address, REPLICA_MS, "json://")).destroy();
    return "";
  } catch (problem) {
    return (problem as Error).message;
  }
}
