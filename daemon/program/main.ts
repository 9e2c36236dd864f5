#!/usr/bin/env node
/** The program `dbsyncd`. It handles SIGHUP before it loads the other modules, which takes some time. */
import { SighupHandler } from "../net/process/sighup.js";

const hangUps = new SighupHandler();
const { main } = await import("./program.js");
await main(hangUps);
