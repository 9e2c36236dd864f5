#!/usr/bin/env node
/** The program `dbsync`. It uses the cache of compiled code before it loads the other modules. */
import { useCompileCache } from "../../daemon/net/process/compile-cache.js";

useCompileCache();
await import("./command-line.js");
