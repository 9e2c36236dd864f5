#!/usr/bin/env node
/** The program `dbsync-keygen`, which generates a pair of keys. Its code is in keygen-command.ts. */
import { keygen } from "./keygen-command.js";

process.exitCode = await keygen(process.argv.slice(2), process);
