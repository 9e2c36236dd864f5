/** Makes docs/commands.md from the command table and Redis's list of names. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../../engine/channels/message-commands.js";
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
  if (messageOf([command.name, "channel", "text"]) !== null) return "all";
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
  const head = "| command | what it does | cost | where | difference |\n| --- | --- | --- | --- | --- |";
  return [
    "# Commands",
    "",
    "<!-- Made by `npm run commands-page`; a test compares it with the tables. -->",
    "",
    `Of the ${names.length} commands and subcommands of Redis 7.0, ${supported.length} are supported. A test compares answers and errors with`,
    "redis-server's by random calls (test/conformance); the last column says what differs. *Where*: `all` are commands of",
    "signed envelopes, of version 1 and of Redis clients (--resp); `RESP` are about a connection or the daemon, for Redis clients;",
    "`signed` are for signed envelopes alone. AUTH, SELECT, MULTI, EXEC, DISCARD, WATCH and UNWATCH work on connections of Redis clients:",
    "envelopes have headers instead, and in version 1 each command is handled as if on a connection of its own.",
    "",
    "## There",
    "",
    head,
    ...supported.map(supportedLine),
    "",
    "## Not there",
    "",
    "| command | why |",
    "| --- | --- |",
    ...missing.map((name) => `| ${shown(name)} | ${cell(reasonAgainst(name) ?? "")} |`),
    "",
    "## Not in Redis 7.0",
    "",
    head,
    ...own.map(supportedLine),
    "",
  ].join("\n");
}
