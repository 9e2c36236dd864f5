/** Runs dbsyncd as a future release, which supports a second semantics version. */

import { SighupHandler } from "../../../daemon/net/process/sighup.js";
import { BUILD } from "../../../daemon/program/installed-faces.js";
import { main } from "../../../daemon/program/program.js";
import { NEXT_SEMANTICS } from "../../support/next-semantics.js";

await main(new SighupHandler(), BUILD, NEXT_SEMANTICS);
