/** The searches of docs/model/followers.pml. */
import { holds, limit, mistake, type Search } from "./search.js";

const MISSES_NOTHING = "a follower misses no entry";

export const followers: readonly Search[] = [
  holds("followers: 3 members, 3 dates", "followers", "random"),
  holds("followers: 2 members, 3 dates, 2 restarts", "followers MEMBERS=2 RESTARTS=2"),
  mistake(
    "a member that has closed a date signs with it",
    MISSES_NOTHING,
    "followers NOT_CLOSED_HERE MEMBERS=2",
    "signs-closed-date",
  ),
  mistake(
    "a member answers before it has sent what it signed",
    MISSES_NOTHING,
    "followers NOT_SENT MEMBERS=2",
    "closes-before-sending",
  ),
  mistake(
    "a member forgets at a restart which dates it has closed",
    MISSES_NOTHING,
    "followers FORGETS_CLOSED MEMBERS=2 RESTARTS=1",
    "forgets-closed-dates",
  ),
  mistake(
    "a member answers before its disk has the closed date",
    MISSES_NOTHING,
    "followers NOT_ON_DISK MEMBERS=2 RESTARTS=1",
    "closed-not-on-disk",
  ),
  mistake(
    "an answer counts before the entries that were sent before it",
    MISSES_NOTHING,
    "followers UNORDERED MEMBERS=2",
    "answer-overtakes-entries",
  ),
  mistake(
    "the follower's own daemon dates by its clock alone",
    MISSES_NOTHING,
    "followers BY_CLOCK MEMBERS=2",
    "dates-by-clock",
  ),
  limit("a member that is left out", MISSES_NOTHING, "followers LEFT_OUT MEMBERS=2", "left-out"),
];
