/** The subcommands and options of `dbsync-proxy`. */
import { Command } from "commander";
import { version } from "../../daemon/net/process/version.js";
import { breakHelp } from "../../daemon/net/terminal/terminal-text.js";
import { addBalancer } from "./balancer-command.js";
import { addCache } from "./cache-command.js";
import { addStatus } from "./status-command.js";

/** Returns the program, which has not parsed any arguments yet. */
export function makeProxy(): Command {
  const program = new Command("dbsync-proxy")
    .description(
      "Connects clients to servers of the SQL line protocol (dbsyncd --sql, or the earlier SQL server).",
    )
    .version(version, "-V, --version", "print the version")
    .enablePositionalOptions()
    .exitOverride()
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .configureOutput({
      writeOut: (text) => process.stdout.write(breakHelp(text)),
      outputError: (text, write) => write(text.replace(/^error: /, "dbsync-proxy: ")),
    })
    .showHelpAfterError("(--help lists the options)");
  for (const add of [addBalancer, addCache, addStatus]) add(program);
  return program;
}
