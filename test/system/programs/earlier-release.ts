/** Runs dbsyncd as an earlier release, which supports one semantics version. */

import { SighupHandler } from "../../../daemon/net/process/sighup.js";
import { BUILD } from "../../../daemon/program/installed-faces.js";
import { main } from "../../../daemon/program/program.js";
import { EARLIER_SEMANTICS } from "../../support/next-semantics.js";

await main(new SighupHandler(), BUILD, EARLIER_SEMANTICS);
