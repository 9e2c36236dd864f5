#!/usr/bin/env node
/** The program `dbsyncd`. SIGHUP is handled before the rest is loaded, which takes a while. */
import { HangUps } from "../net/process/hang-ups.js";

const hangUps = new HangUps();
const { main } = await import("./program.js");
await main(hangUps);
