/** dbsyncd as of a release that knows one version of what commands mean. */
import { main } from "../../daemon/program.js";
import { HangUps } from "../../net/process/hang-ups.js";
import { EARLIER_SEMANTICS } from "../support/next-semantics.js";

await main(new HangUps(), EARLIER_SEMANTICS);
