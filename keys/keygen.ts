#!/usr/bin/env node
/** The program `dbsync-keygen`: makes a pair of keys. All of it is in keygen-command.ts. */
import { keygen } from "./keygen-command.js";

process.exitCode = await keygen(process.argv.slice(2), process);
