/** Runs dbsyncd as a future release, which supports a second semantics version. */
import { main } from "../../daemon/program.js";
import { SighupHandler } from "../../net/process/sighup.js";
import { NEXT_SEMANTICS } from "../support/next-semantics.js";

await main(new SighupHandler(), NEXT_SEMANTICS);
