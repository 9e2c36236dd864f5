#!/usr/bin/env node
/** The program `dbsync-proxy`. It runs subcommands, and converts errors to text and exit codes. */
import { CommanderError, InvalidArgumentError } from "commander";
import { StartError } from "../../daemon/net/process/service.js";
import { shownLines } from "../../daemon/net/terminal/terminal-text.js";
import { makeProxy } from "./program.js";

const EXIT_USAGE = 2;

const program = makeProxy();

try {
  await program.parseAsync();
} catch (problem) {
  if (problem instanceof InvalidArgumentError) {
    // The error occurred after commander had parsed the arguments, so commander has not reported it.
    process.stderr.write(`dbsync-proxy: ${shownLines(problem.message)}\n`);
    process.exitCode = EXIT_USAGE;
  }
  // Commander has reported the error. Help and version exit with 0.
  else if (problem instanceof CommanderError) process.exitCode = problem.exitCode === 0 ? 0 : EXIT_USAGE;
  else if (problem instanceof StartError) {
    process.stderr.write(`dbsync-proxy: ${shownLines(problem.message)}\n`);
    process.exitCode = problem.exitCode;
  } else throw problem;
}
