/** Runs dbsyncd as an earlier release, which supports one semantics version. */
import { main } from "../../daemon/program.js";
import { HangUps } from "../../net/process/hang-ups.js";
import { EARLIER_SEMANTICS } from "../support/next-semantics.js";

await main(new HangUps(), EARLIER_SEMANTICS);
