#!/usr/bin/env node
/** The program `dbsync-proxy`: subcommands, and the one place where errors become text and exit codes. */
import { CommanderError, InvalidArgumentError } from "commander";
import { StartError } from "../net/process/start-error.js";
import { makeProxy } from "./program.js";

const EXIT_USAGE = 2;

const program = makeProxy();

try {
  await program.parseAsync();
} catch (problem) {
  if (problem instanceof InvalidArgumentError) {
    // Of what was read when all arguments were known: commander has not seen it.
    process.stderr.write(`dbsync-proxy: ${problem.message}\n`);
    process.exitCode = EXIT_USAGE;
  }
  // Commander has said what is wrong; help and version end with 0.
  else if (problem instanceof CommanderError) process.exitCode = problem.exitCode === 0 ? 0 : EXIT_USAGE;
  else if (problem instanceof StartError) {
    process.stderr.write(`dbsync-proxy: ${problem.message}\n`);
    process.exitCode = problem.exitCode;
  } else throw problem;
}
