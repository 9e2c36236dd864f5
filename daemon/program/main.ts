#!/usr/bin/env node
/**
 * The program `dbsyncd`. It handles SIGHUP, and uses the cache of compiled code, before it loads the other modules,
 * which takes some time. It passes the faces of the build to them.
 */
import { useCompileCache } from "../net/process/compile-cache.js";
import { SighupHandler } from "../net/process/sighup.js";

const hangUps = new SighupHandler();
useCompileCache();
const { BUILD } = await import("./installed-faces.js");
const { main } = await import("./program.js");
await main(hangUps, BUILD);
