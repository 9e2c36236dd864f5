/** The searches of docs/model/decided-keys.pml. */
import { holds, mistake, type Search } from "./search.js";

const KEPT = "no acknowledged write is void";
const ONCE = "no envelope takes effect twice";
const STAYS = "no plain write comes before a final position";

export const decidedKeys: readonly Search[] = [
  holds("decided keys: 3 members, 4 dates", "decided-keys DATES=4"),
  { ...holds("decided keys: 3 members, 5 dates", "decided-keys"), isLong: true },
  holds(
    "decided keys: 3 members until the beginning, a restart, 4 dates",
    "decided-keys BEGINS RESTARTS=1 DATES=4",
  ),
  holds("decided keys: 3 members of which one has a wider window", "decided-keys DATES=4 WIDER=2"),
  mistake(
    "a pattern begins without waiting until each member knows it",
    KEPT,
    "decided-keys NOT_FINAL BEGINS",
    "begins-unknown",
  ),
  mistake(
    "a pattern begins without waiting for dates ahead of the clocks",
    KEPT,
    "decided-keys NOT_AHEAD BEGINS",
    "begins-before-dates-ahead",
  ),
  mistake(
    "a member assumes its own window for the others",
    KEPT,
    "decided-keys OWN_WINDOW WIDER=2 BEGINS",
    "begins-before-wider-window",
  ),
  mistake(
    "members do not check that a pattern may begin",
    STAYS,
    "decided-keys UNCHECKED BEGINS",
    "begins-unchecked",
  ),
  mistake(
    "finality does not count each member",
    STAYS,
    "decided-keys NOT_COUNTED BEGINS",
    "begins-without-member",
  ),
  mistake(
    "a client's envelope is placed as soon as a pattern is announced",
    ONCE,
    "decided-keys PLACES_ANNOUNCED",
    "places-announced",
  ),
  mistake(
    "a member votes for an envelope that it has as a plain entry",
    ONCE,
    "decided-keys FORGETS_RECORDED DATES=4",
    "places-recorded",
  ),
  mistake(
    "a daemon records envelopes of any date after a pattern was removed",
    KEPT,
    "decided-keys TAKES_IMMEDIATELY DATES=4",
    "records-after-removal",
  ),
  mistake(
    "a member accepts writes after a restart before it has what another one has",
    KEPT,
    "decided-keys SERVES_IMMEDIATELY BEGINS RESTARTS=1 DATES=4",
    "serves-before-catching-up",
  ),
];
