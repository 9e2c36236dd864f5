/** The searches of docs/model/agreement.pml. */
import { holds, mistake, type Search } from "./search.js";

const FINAL_HAS_NO_NEW_ENTRY = "what is final has no new entry";
/** Of four daemons, three are members; the second list has the fourth in place of the third. */
const REPLACED = "MEMBERS=4 FIRST=7 SECOND=11";

export const agreement: readonly Search[] = [
  holds(
    "agreement: 4 members, 2 entries, pruning, 2 restarts",
    "agreement MEMBERS=4 ENTRIES=2 PRUNING=1 RESTARTS=2",
    "random",
  ),
  holds("agreement: 3 members, 1 entry, pruning, 2 dates", "agreement DATES=2 PRUNING=1"),
  holds("agreement: 3 members, 1 entry, pruning, 2 restarts", "agreement PRUNING=1 RESTARTS=2"),
  holds("agreement: 4 members, 1 entry, pruning", "agreement MEMBERS=4 PRUNING=1"),
  holds("agreement: a liar among 3 members, pruning, 2 restarts", "agreement LIAR=1 PRUNING=1 RESTARTS=2"),
  holds("agreement: a liar among 4 members, pruning", "agreement MEMBERS=4 LIAR=1 PRUNING=1"),
  holds("agreement: 3 members, 2 entries", "agreement ENTRIES=2"),
  holds("agreement: 3 members, 1 entry, 2 restarts, a lost disk", "agreement RESTARTS=2 LOSSES=1"),
  holds("agreement: a member is added", "agreement MEMBERS=4 FIRST=7 SECOND=15"),
  holds("agreement: a member is evicted, a restart", "agreement SECOND=3 RESTARTS=1"),
  holds("agreement: a member is replaced", `agreement ${REPLACED}`),
  mistake(
    "a date is final before the daemon's own watermark has passed it",
    FINAL_HAS_NO_NEW_ENTRY,
    "agreement AHEAD_OF_OWN_WATERMARK",
    "ahead-of-own-watermark",
  ),
  mistake(
    "a report under another list counts",
    FINAL_HAS_NO_NEW_ENTRY,
    `agreement ANY_LIST ${REPLACED}`,
    "any-list",
  ),
  mistake(
    "reports from before a loss of entries count",
    FINAL_HAS_NO_NEW_ENTRY,
    "agreement OLD_REPORTS LOSSES=1",
    "old-reports",
  ),
  mistake(
    "members report and send entries that are not on the disk",
    FINAL_HAS_NO_NEW_ENTRY,
    "agreement NOT_ON_DISK RESTARTS=1",
    "not-on-disk",
  ),
  mistake(
    "one signature is enough for a snapshot",
    "no liar alone makes another adopt",
    "agreement ONE_VOTE LIAR=1 PRUNING=1 RESTARTS=1",
    "one-vote",
  ),
  mistake(
    "one claim is enough to refuse writes",
    "no liar alone makes another refuse writes",
    "agreement ONE_CLAIM LIAR=1 PRUNING=1",
    "one-claim",
  ),
  mistake(
    "one signed record of each date, which never changes",
    "everything becomes final",
    "agreement LEDGER_ONCE",
    "ledger-once",
  ),
  mistake(
    "one signed record of each date, which is signed again",
    "an honest member is never proved to lie",
    "agreement LEDGER_AGAIN",
    "ledger-again",
  ),
];
