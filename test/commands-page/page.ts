/** Makes docs/commands.md from the command table and Redis's list of names. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { saidBy } from "../../engine/channels/spoken.js";
import { commands } from "../../store/command-table.js";
import { isKeyCommand } from "../../store/key-ring.js";
import type { Command } from "../../store/rows/command.js";
import { refuseWithoutConnection } from "../../store/rows/connection-commands.js";
import { isOfListener } from "../../store/rows/listener-rows.js";
import { repositoryRoot } from "../support/repository.js";
import { DIFFERENCES } from "./differences.js";
import { reasonAgainst } from "./unsupported.js";

export const PAGE = "docs/commands.md";

/** Returns the names that `COMMAND LIST` of redis-server 7.0 prints, in lower case. */
export function redisCommands(): string[] {
  const text = readFileSync(join(repositoryRoot, "test/conformance/redis-commands.txt"), "utf8");
  return text.split(/\s+/).filter((name) => name !== "");
}

const shown = (name: string) => name.toUpperCase().replace("|", " ");
const cell = (text: string) => text.replaceAll("|", "\\|");

function supportedLine(command: Command): string {
  const { name, summary, complexity } = command;
  return `| ${shown(name)} | ${cell(summary)} | ${cell(complexity)} | ${placeOf(command)} | ${cell(DIFFERENCES[name] ?? "")} |`;
}

function placeOf(command: Command): string {
  const container = command.name.split("|")[0] as string;
  if (isKeyCommand([container]) || container === "TIMELINE") return "signed";
  // Envelopes carry these as messages.
  if (saidBy([command.name, "channel", "text"]) !== null) return "all";
  return isOfListener(command) || command.run === refuseWithoutConnection ? "RESP" : "all";
}

/** Returns the complete page. */
export function commandsPage(): string {
  const names = redisCommands();
  const known = new Set(names);
  const byName = new Map(commands.map((command) => [command.name.toLowerCase(), command]));
  const supported = names.flatMap((name) => byName.get(name) ?? []);
  const missing = names.filter((name) => !byName.has(name));
  const own = commands.filter(({ name }) => !known.has(name.toLowerCase()));
  const head = "| command | effect | cost | where | difference |\n| --- | --- | --- | --- | --- |";
  return [
    "# Commands",
    "",
    "<!-- Made by `npm run commands-page`; a test compares it with the tables. -->",
    "",
    `dbsync supports ${supported.length} of the ${names.length} commands and subcommands of Redis 7.0. A test compares answers and errors with`,
    "redis-server's in random calls (test/conformance); the last column lists the differences. In the column *where*, `all` means",
    "signed envelopes, version 1 and Redis clients (--resp). `RESP` means Redis clients only, because the command concerns a connection or",
    "the daemon; `signed` means signed envelopes only. AUTH, SELECT, MULTI, EXEC, DISCARD, WATCH and UNWATCH work on connections of Redis",
    "clients. Envelopes have headers instead, and in version 1 each command runs as if on its own connection.",
    "",
    "## Supported commands",
    "",
    head,
    ...supported.map(supportedLine),
    "",
    "## Unsupported commands",
    "",
    "| command | reason |",
    "| --- | --- |",
    ...missing.map((name) => `| ${shown(name)} | ${cell(reasonAgainst(name) ?? "")} |`),
    "",
    "## Additional commands",
    "",
    head,
    ...own.map(supportedLine),
    "",
  ].join("\n");
}
