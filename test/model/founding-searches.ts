/** The searches of docs/model/founding.pml and list-changes.pml. */
import { holds, limit, mistake, type Search } from "./search.js";

const FOLLOWS = "of two complete lists, one follows the other";
const STAYS_OUT = "a daemon that was left out does not return";
const HAVE_WRITES = "the members have each acknowledged write";
const ALL_SIGN = "a list has the signatures of all its members";
const ALL_ORDER = "the operator of each member has ordered a forced list";
const IS_FOUNDED = "the daemons found a list";

export const founding: readonly Search[] = [
  holds("founding: a lost folder, 4 texts", "founding LOSSES=1 TEXTS=4"),
  holds("founding: a lost folder that is found again, a restart", "founding LOSSES=2 RESTARTS=1"),
  holds("founding: any sets of 3 daemons", "founding ANY_SET"),
  holds("founding: any sets of 4 daemons, 2 texts", "founding DAEMONS=4 ANY_SET TEXTS=2"),
  holds("founding: a member has a list, a lost folder, 4 texts", "founding LOSSES=1 LISTED=1 TEXTS=4"),
  holds("founding: forced lists, a restart", "founding LISTED=7 FORCES RESTARTS=1"),
  holds("founding: forced lists of 4 daemons", "founding DAEMONS=4 LISTED=15 FORCES"),
  holds("founding: founded and forced lists, a lost folder, 4 texts", "founding LOSSES=1 FORCES TEXTS=4"),
  holds("founding: progress, a lost folder, 2 restarts", "founding PROGRESS LOSSES=1 RESTARTS=2 TEXTS=6"),
  mistake("a daemon signs two texts of one number", FOLLOWS, "founding SAME_NUMBER LOSSES=1", "same-number"),
  mistake(
    "a daemon signs what it announced before it signed another text",
    FOLLOWS,
    "founding UNCHECKED LOSSES=1",
    "announced-before",
  ),
  mistake(
    "a text does not name the daemons of the texts that were signed before",
    FOLLOWS,
    "founding NAMES_NONE LOSSES=1",
    "names-none",
  ),
  mistake(
    "a text does not name the daemons that a text before it leaves out",
    FOLLOWS,
    "founding NAMES_MEMBERS LOSSES=1",
    "names-members",
  ),
  mistake(
    "a daemon that a signed text leaves out is a member of the next one",
    STAYS_OUT,
    "founding READMITS LOSSES=2",
    "readmits",
  ),
  mistake(
    "an order counts only what its own daemon has signed",
    IS_FOUNDED,
    "founding OWN_ONLY PROGRESS LOSSES=1 TEXTS=4",
    "own-text-only",
  ),
  mistake(
    "an order continues a text that does not follow all that were signed",
    IS_FOUNDED,
    "founding CONTINUES_NEWEST PROGRESS LOSSES=1 TEXTS=4",
    "continues-newest",
  ),
  mistake("a majority signs a list", ALL_SIGN, "founding MOST_SIGN LOSSES=1", "most-sign"),
  mistake(
    "a daemon sends a signature that is not on its disk",
    FOLLOWS,
    "founding NOT_ON_DISK ANY_SET RESTARTS=1 TEXTS=2",
    "signature-not-on-disk",
  ),
  mistake(
    "a daemon forgets at a restart what it has signed",
    FOLLOWS,
    "founding FORGETS ANY_SET RESTARTS=1 TEXTS=2",
    "forgets-signature",
  ),
  mistake(
    "a daemon with a list founds another one",
    FOLLOWS,
    "founding FOUNDS_AGAIN LISTED=1 TEXTS=2",
    "founds-again",
  ),
  mistake(
    "a member signs a forced list without an order",
    ALL_ORDER,
    "founding WITHOUT_ORDER LISTED=7 FORCES TEXTS=2",
    "forced-without-order",
  ),
  mistake(
    "an order remains in effect for other sets",
    ALL_ORDER,
    "founding STANDING_ORDER LISTED=7 FORCES TEXTS=2",
    "standing-order",
  ),
  limit("two groups force a list", FOLLOWS, "founding TWO_GROUPS LISTED=7 FORCES TEXTS=2", "two-groups"),
  limit(
    "two groups with other addresses found a list",
    FOLLOWS,
    "founding TWO_GROUPS ANY_SET DAEMONS=4 TEXTS=2",
    "two-clusters",
  ),
  limit("an administrator signs a list meanwhile", FOLLOWS, "founding LATE_LIST TEXTS=2", "list-meanwhile"),
  limit(
    "a folder is found again after a text left it out",
    IS_FOUNDED,
    "founding PROGRESS LOSSES=2 TEXTS=4",
    "folder-left-out",
  ),
];

export const listChanges: readonly Search[] = [
  holds("list changes: 2 daemons are added together", "list-changes"),
  holds("list changes: 2 daemons are added one by one", "list-changes ONE_BY_ONE"),
  holds("list changes: connected members leave", "list-changes LEAVING"),
  mistake(
    "a daemon signs that it leaves before the members have its writes",
    HAVE_WRITES,
    "list-changes LEAVING HANDS_OVER_NOTHING",
    "hands-over-nothing",
  ),
  mistake(
    "a daemon accepts writes after it has signed that it leaves",
    HAVE_WRITES,
    "list-changes LEAVING KEEPS_WRITING",
    "keeps-writing",
  ),
  mistake(
    "members agree before the daemon that leaves has signed",
    HAVE_WRITES,
    "list-changes LEAVING BEFORE_SIGNED",
    "before-signed",
  ),
  mistake("a member signs two changes of one list", FOLLOWS, "list-changes SIGNS_TWO", "signs-two-changes"),
  mistake(
    "a change follows one that is not known to be complete",
    FOLLOWS,
    "list-changes FOLLOWS_OPEN",
    "follows-open-change",
  ),
];
