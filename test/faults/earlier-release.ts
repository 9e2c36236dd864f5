/** Runs dbsyncd as an earlier release, which supports one semantics version. */
import { main } from "../../daemon/program.js";
import { SighupHandler } from "../../net/process/sighup.js";
import { EARLIER_SEMANTICS } from "../support/next-semantics.js";

await main(new SighupHandler(), EARLIER_SEMANTICS);
