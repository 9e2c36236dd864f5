/** dbsyncd as of a release to come, which knows a second version of what commands mean. */
import { main } from "../../daemon/program.js";
import { HangUps } from "../../net/process/hang-ups.js";
import { NEXT_SEMANTICS } from "../support/next-semantics.js";

await main(new HangUps(), NEXT_SEMANTICS);
