#!/usr/bin/env node
/**
 * The program `dbsyncd`. Before it loads the other modules, which takes some time, it handles SIGHUP, which would end
 * the process, and uses the cache of compiled code. Then it runs the daemon with the faces of this build.
 */
import { useCompileCache } from "../net/process/compile-cache.js";
import { SighupHandler } from "../net/process/sighup.js";

const sighup = new SighupHandler();
useCompileCache();
const { BUILD } = await import("./installed-faces.js");
const { main } = await import("./program.js");
await main(sighup, BUILD);
