/** The searches of docs/model/programs.pml. */
import { holds, mistake, type Search } from "./search.js";

const ONCE = "a program takes effect at most once";
const ANSWER = "the answer of a program is that at its position";
const AGAIN = "a program runs again only after a change";

export const programs: readonly Search[] = [
  holds("programs: 2 daemons, 4 programs, a lost outcome", "programs"),
  mistake(
    "programs have conditions only on the keys that they write",
    ANSWER,
    "programs ONLY_WRITTEN",
    "conditions-on-written",
  ),
  mistake(
    "versions are those after the first program of a unit",
    AGAIN,
    "programs LATE_VERSIONS",
    "versions-after-write",
  ),
  mistake(
    "a program runs again after an unknown outcome",
    ONCE,
    "programs AGAIN_IF_UNKNOWN",
    "again-if-unknown",
  ),
  mistake(
    "a program that wrote nothing is answered although its unit took no effect",
    ANSWER,
    "programs ANSWERS_READS",
    "answers-unmet-read",
  ),
  mistake(
    "programs that share keys are separate units",
    ANSWER,
    "programs ALWAYS_APART",
    "shared-keys-apart",
  ),
];
