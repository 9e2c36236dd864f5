/*
 * Agreement: which dates are final, which snapshot replaces pruned entries, and what becomes of entries that it does not
 * contain. README.md explains the abstractions; docs/decisions/0069-one-table-of-reports.md uses the results. An entry e is the bit 1 << e in sets.
 *
 * A message is a fact that is never taken back, as long as its sender's connections last: a member may act on it at any
 * time, any number of times, or never. Loss, delay, reordering and repetition need no steps of their own. Time is a
 * watermark: every member may raise its own at any moment.
 */
#ifndef MEMBERS
#define MEMBERS 3
#endif
/* The number of entries: entry e is dated e + 1. The number of dates may be higher: then snapshots follow the entries. */
#ifndef ENTRIES
#define ENTRIES 1
#endif
#ifndef DATES
#define DATES ENTRIES
#endif
/* The number of restarts with the disk, and without it (the daemon then returns with a new id, and joins). */
#ifndef RESTARTS
#define RESTARTS 0
#endif
#ifndef LOSSES
#define LOSSES 0
#endif
/* Whether members sign snapshots, prune, and adopt a snapshot in place of entries that others have pruned. */
#ifndef PRUNING
#define PRUNING 0
#endif
/*
 * The members of the first list and of a second one, which an administrator may sign at any moment, as sets of bits.
 * Equal: there is no second list.
 */
#ifndef FIRST
#define FIRST ((1 << MEMBERS) - 1)
#endif
#ifndef SECOND
#define SECOND FIRST
#endif
/* Whether the last member lies: it reports, signs and sends anything, as long as it needs no client's signature. */
#ifndef LIAR
#define LIAR 0
#endif

#define REQUIRE(condition, text) if :: condition :: else -> printf(text); assert(false) fi
#define ENTRY(e) (1 << (e))
/* All entries dated at or before a date. */
#define UPTO(date) ((1 << (date)) - 1)
#define COUNT(set) (((set) & 1) + (((set) >> 1) & 1) + (((set) >> 2) & 1) + (((set) >> 3) & 1))
#define HAS(set, i) (((set) >> (i)) & 1)
#define LIST(i) (member[i].hasSecond -> SECOND : FIRST)
#define OTHERS(i) (LIST(i) & ~(1 << (i)))
/* How many of the other voters are a majority of them, as in shared/electorate.ts. */
#define MAJORITY(i) (COUNT(OTHERS(i)) / 2 + 1)
#define IS_LIAR(i) (LIAR && (i) == MEMBERS - 1)
#define HONEST (MEMBERS - LIAR)

typedef Member {
  unsigned held : ENTRIES;      /* entries in memory */
  unsigned disk : ENTRIES;
  unsigned watermark : 2;       /* nothing dated at or before it is accepted from clients */
  unsigned published : 2;       /* the watermark on the disk */
  unsigned final : 2;           /* it has reported everything dated at or before it as final; a restart forgets this */
  unsigned pruned : 2;          /* it stores no entry dated at or before it any longer, only the snapshot */
  unsigned dead : ENTRIES;      /* entries in its dead-letter store */
  unsigned pulledFrom : 3;      /* while it joins: the live member whose entries it has, + 1; 0: none yet */
  bit isLive;                   /* it has joined */
  bit isCatchingUp;             /* it has started again, or entries are missing here; its status shows it */
  bit hasSecond;                /* it has the second list, in memory */
  bit isPastOnDisk;             /* the list, and all that it held when it received the list, are on its disk */
}
Member member[MEMBERS];

/*
 * The reports of a member under a list, by date: a bit for each set of entries up to that date that it has reported with
 * a watermark of at least that date.
 */
typedef Reports { unsigned sets : 8 }
Reports reports[MEMBERS * 2 * (DATES + 1)];
#define REPORTS(i, list, date) reports[((i) * 2 + (list)) * (DATES + 1) + (date)].sets

/* The snapshot that a member has signed for a date: the set of its entries up to the date, + 1; 0: none. */
typedef Votes { unsigned set : 4 }
Votes votes[MEMBERS * (DATES + 1)];
#define VOTE(i, date) votes[(i) * (DATES + 1) + (date)].set

bit isSigned;                   /* the administrator has signed the second list */
unsigned acknowledged : ENTRIES;
unsigned restarts : 2 = RESTARTS;
unsigned losses : 2 = LOSSES;

/* For the checks: the entries up to each date when a member first reported it as final, + 1; 0: not yet. */
typedef Final { unsigned set : 4 }
Final finals[DATES + 1];

/* A scratch variable of single steps, which is 0 between them. */
byte d;

/* A member of the newest list, or a daemon that does not know yet that it is none. */
#define IS_LEFT_OUT(i) (isSigned && !HAS(SECOND, i))
#define IN_LIST(i) HAS(LIST(i), i)
#define SERVES(i) (member[i].isLive && !member[i].isCatchingUp && IN_LIST(i))

/* Whether a member that must agree has reported exactly these entries up to a date. */
#ifdef ANY_LIST
#define HAS_REPORTED(i, k, date, own) \
  ((REPORTS(k, 0, date) | REPORTS(k, 1, date)) & (1 << (own)))
#else
#define HAS_REPORTED(i, k, date, own) (REPORTS(k, member[i].hasSecond, date) & (1 << (own)))
#endif
#define AGREES(i, k, date) ((k) >= MEMBERS || !HAS(OTHERS(i), k) || IS_LIAR(k) \
  || HAS_REPORTED(i, k, date, member[i].disk & UPTO(date)))
#ifdef NOT_ON_DISK
/* A member reports and sends entries that are not on its disk. */
#define SHOWN(i) member[i].held
#else
#define SHOWN(i) member[i].disk
#endif

/* Reports everything on the disk, for each date that the published watermark has passed. */
inline report(i) {
  if
  :: SERVES(i) && member[i].isPastOnDisk ->
    d = 1;
    do
    :: d > DATES || d > member[i].published -> break
    :: else ->
#ifdef LEDGER_ONCE
      /* A design that was refused: one signed record for each date, which never changes. */
      if
      :: REPORTS(i, member[i].hasSecond, d) == 0 ->
#endif
#ifdef LEDGER_AGAIN
      /* Another one: a record is signed again when it changes. Two states of one date prove that a member lies. */
      REQUIRE((REPORTS(i, member[i].hasSecond, d) & ~(1 << (SHOWN(i) & UPTO(d)))) == 0,
        "violated: an honest member is never proved to lie\n");
#endif
      REPORTS(i, member[i].hasSecond, d) = REPORTS(i, member[i].hasSecond, d) | (1 << (SHOWN(i) & UPTO(d)));
#ifdef LEDGER_ONCE
      :: else
      fi;
#endif
      d++
    od
  :: else
  fi;
  d = 0
}

/* No member of the newest list may get an entry that was missing when its date was reported as final. */
inline checkNew(i, e) {
  d = (e) + 1;
  do
  :: d > DATES -> break
  :: else ->
    REQUIRE(LIAR || IS_LEFT_OUT(i) || finals[d].set == 0 || ((finals[d].set - 1) & ENTRY(e)),
      "violated: what is final has no new entry\n");
    d++
  od;
  d = 0
}

inline forgetReports(i) {
  d = 0;
  do
  :: d > DATES -> break
  :: else -> REPORTS(i, 0, d) = 0; REPORTS(i, 1, d) = 0; d++
  od;
  d = 0
}

/* Once a member has lost entries, the others use what all members report from then on. */
inline forgetAllReports() {
  d = 0;
#ifdef OLD_REPORTS
  /* Reports from before the loss count. */
  d = MEMBERS * 2 * (DATES + 1);
#endif
  do
  :: d == MEMBERS * 2 * (DATES + 1) -> break
  :: else -> reports[d].sets = 0; d++
  od;
  report(0); report(1);
#if HONEST > 2
  report(2);
#endif
#if HONEST > 3
  report(3)
#endif
}

/* A client sends an entry to a member. The date is compared with the watermark, and the entry is held, in one step. */
#define CAN_WRITE(i, e) (SERVES(i) && member[i].watermark <= (e) \
  && member[i].pruned <= (e) && !(member[i].held & ENTRY(e)))

/* A member receives an entry that is on another's disk, whatever its date, unless it has pruned that date. */
#define CAN_RECEIVE(i, k, e) ((i) != (k) && (k) < MEMBERS && IN_LIST(i) && HAS(LIST(i), k) \
  && member[i].pruned <= (e) && !(member[i].held & ENTRY(e)) \
  && (IS_LIAR(k) || ((SHOWN(k) & ENTRY(e)) && member[k].pruned <= (e))))

inline take(i, e) {
  printf("member %d receives entry %d\n", (i) + 1, (e) + 1);
  checkNew(i, e);
  member[i].held = member[i].held | ENTRY(e);
  report(i)
}

/* Everything in memory reaches the disk, and the watermark with it. */
#define CAN_SYNC(i) (member[i].disk != member[i].held || member[i].published != member[i].watermark \
  || !member[i].isPastOnDisk)

#ifdef AHEAD_OF_OWN_WATERMARK
/* A member reports a date as final before its own watermark has passed it. */
#define HAS_PASSED(i, date) 1
#else
#define HAS_PASSED(i, date) (member[i].published >= (date))
#endif
#define CAN_FINISH(i, date) (SERVES(i) && member[i].isPastOnDisk \
  && member[i].final == (date) - 1 && HAS_PASSED(i, date) \
  && AGREES(i, 0, date) && AGREES(i, 1, date) && AGREES(i, 2, date) && AGREES(i, 3, date))

inline finish(i, date) {
  member[i].final = date;
  printf("member %d reports date %d as final with the entries %d\n", i + 1, date, member[i].disk & UPTO(date));
  REQUIRE(LIAR || IS_LEFT_OUT(i) || finals[date].set == 0
    || finals[date].set == (member[i].disk & UPTO(date)) + 1, "violated: what is final is the same everywhere\n");
  finals[date].set = (LIAR -> 0 : (member[i].disk & UPTO(date)) + 1)
}

/* A member with all entries of a live member that reports under the same list, and with its watermark, serves. */
#define CAN_PULL(i, k) ((i) != (k) && (k) < MEMBERS && !member[i].isLive && IN_LIST(i) && member[i].isPastOnDisk \
  && member[i].pulledFrom == 0 && SERVES(k) && member[k].isPastOnDisk \
  && member[k].hasSecond == member[i].hasSecond && member[k].pruned == 0)
#define CAN_JOIN(i) (!member[i].isLive && member[i].pulledFrom > 0 && member[i].disk == member[i].held)

inline join(i) {
  printf("member %d has joined\n", (i) + 1);
  d = member[i].pulledFrom - 1;
  member[i].watermark =
    (member[d].published > member[i].watermark -> member[d].published : member[i].watermark);
  member[i].published = member[i].watermark;
  member[i].isLive = 1;
  member[i].pulledFrom = 0;
  report(i)
}

#define CAN_LEARN(i) (isSigned && !member[i].hasSecond)

inline learn(i) {
  printf("member %d receives the second list\n", (i) + 1);
  member[i].hasSecond = 1;
  member[i].isPastOnDisk = 0;
  member[i].isLive = member[i].isLive && HAS(SECOND, i);
  member[i].pulledFrom = 0
}

/* A process that is killed continues with what is on its disk. Its connections break, so its reports are forgotten. */
inline restart(i) {
  printf("member %d restarts\n", (i) + 1);
  restarts--;
  member[i].held = member[i].disk;
  member[i].watermark = member[i].published;
  member[i].hasSecond = member[i].hasSecond && member[i].isPastOnDisk;
  member[i].isLive = member[i].isLive || (!member[i].isPastOnDisk && HAS(FIRST, i));
  member[i].isPastOnDisk = 1;
  member[i].pulledFrom = 0;
  member[i].final = 0;
  member[i].isCatchingUp = 1;
  forgetReports(i)
}

/*
 * A daemon that has lost its folder returns with a new id: nothing that the old one has signed or reported counts. What
 * the others received from it has reached their disks by then: without a list, no rule says so.
 */
#define ON_DISK(i) (member[i].held == member[i].disk)
#define ALL_ON_DISK (ON_DISK(0) && ON_DISK(1) && (MEMBERS < 3 || ON_DISK(2)) && (MEMBERS < 4 || ON_DISK(3)))

inline lose(i) {
  printf("member %d loses its disk, and returns with a new id\n", (i) + 1);
  losses--;
  member[i].held = 0;
  member[i].disk = 0;
  member[i].watermark = 0;
  member[i].published = 0;
  member[i].final = 0;
  member[i].pruned = 0;
  member[i].dead = 0;
  member[i].isCatchingUp = 0;
  member[i].pulledFrom = 0;
  member[i].isLive = 0;
  d = 0;
  do
  :: d > DATES -> break
  :: else -> VOTE(i, d) = 0; d++
  od;
  forgetAllReports()
}

/* Snapshots. A member signs each date once, whatever happens to its state afterwards. */
#define CAN_SIGN(i, date) (PRUNING && SERVES(i) && member[i].published >= (date) \
  && VOTE(i, date) == 0)

#define SAME_VOTE(k, date, set) ((k) < MEMBERS && (VOTE(k, date) == (set) + 1 || IS_LIAR(k)))
#define VOTES_IN(group, date, set) ((HAS(group, 0) && SAME_VOTE(0, date, set)) \
  + (HAS(group, 1) && SAME_VOTE(1, date, set)) + (HAS(group, 2) && SAME_VOTE(2, date, set)) \
  + (HAS(group, 3) && SAME_VOTE(3, date, set)))
#define HONEST_VOTES(group, date, set) VOTES_IN((group) & ((1 << HONEST) - 1), date, set)
#ifdef ONE_VOTE
/* The signature of one other member is enough. */
#define IS_AGREED(i, date, set) (VOTES_IN(OTHERS(i), date, set) >= 1)
#else
#define IS_AGREED(i, date, set) (VOTES_IN(OTHERS(i), date, set) >= MAJORITY(i))
#endif

/* A member prunes up to its own snapshot, if it counts enough equal signatures, its own included. */
#define CAN_PRUNE(i, date) (PRUNING && SERVES(i) && member[i].pruned < (date) \
  && VOTE(i, date) == (member[i].disk & UPTO(date)) + 1 && member[i].held == member[i].disk \
  && 1 + VOTES_IN(OTHERS(i), date, member[i].disk & UPTO(date)) >= MAJORITY(i))

/*
 * Entries are missing here: a member has pruned others up to a date. If both have pruned it, they are missing only where
 * there is less.
 */
#define LESS(one, other) (COUNT(one) < COUNT(other) || (COUNT(one) == COUNT(other) && (one) < (other)))
#define IS_MISSING(i, set, date) ((member[i].disk & UPTO(date)) != (set) \
  && (member[i].pruned < (date) || LESS(member[i].disk & UPTO(date), set)))
/* A daemon has itself pruned up to a date, and most of the others have other entries there. */
#define IS_WRONG(i, set, date) ((member[i].disk & UPTO(date)) != (set) && member[i].pruned >= (date) \
  && IS_BELIEVED(i, date, set))

/*
 * A daemon no longer serves once most of the others, at least two, report the same state up to a date that one of them
 * or the daemon itself has pruned, and entries of it are missing here. A daemon that starts serves once nothing is
 * missing. These are their last reports, because they are requested again and again while they differ.
 */
#define SAYS(i, k, date, set) ((k) < MEMBERS && HAS(OTHERS(i), k) && (IS_LIAR(k) \
  || (SERVES(k) && member[k].published >= (date) && (member[k].disk & UPTO(date)) == (set))))
#define SAYING(i, date, set) (SAYS(i, 0, date, set) + SAYS(i, 1, date, set) + SAYS(i, 2, date, set) + SAYS(i, 3, date, set))
#define HAS_PRUNED(i, k, date) ((k) < MEMBERS && HAS(OTHERS(i), k) && (IS_LIAR(k) || member[k].pruned >= (date)))
#define ONE_HAS_PRUNED(i, date) (HAS_PRUNED(i, 0, date) || HAS_PRUNED(i, 1, date) || HAS_PRUNED(i, 2, date) || HAS_PRUNED(i, 3, date))
#ifdef ONE_CLAIM
/* The claim of one other member is enough. */
#define IS_BELIEVED(i, date, set) (SAYING(i, date, set) >= 1)
#else
#define IS_BELIEVED(i, date, set) (COUNT(OTHERS(i)) > 1 && SAYING(i, date, set) >= MAJORITY(i))
#endif
#define CAN_LEAVE(i, date, set) (PRUNING && SERVES(i) && IS_BELIEVED(i, date, set) \
  && ((ONE_HAS_PRUNED(i, date) && IS_MISSING(i, set, date)) || IS_WRONG(i, set, date)))

inline leave(i, date, state) {
  printf("member %d is catching up: up to date %d, others have the entries %d\n", i + 1, date, state);
  REQUIRE(SAYING(i, date, state) - LIAR > 0, "violated: no liar alone makes another refuse writes\n");
  member[i].isCatchingUp = 1;
  forgetReports(i)
}

#define UNTIL(k, date) (member[k].disk & UPTO(date))
#define LACKS(i, k) ((k) < HONEST && HAS(OTHERS(i), k) && SERVES(k) \
  && ((member[k].pruned > 0 && IS_MISSING(i, UNTIL(k, member[k].pruned), member[k].pruned)) \
    || (member[i].pruned > 0 && IS_WRONG(i, UNTIL(k, member[i].pruned), member[i].pruned))))
#define CAN_RETURN(i) (member[i].isCatchingUp && !LACKS(i, 0) && !LACKS(i, 1) && !LACKS(i, 2) && !LACKS(i, 3) \
  && member[i].held == member[i].disk)

/*
 * A member adopts a snapshot of a member that has pruned. A liar sends any; its seal must be the signed one. This takes
 * seconds: what the others have received has reached their disks by then. Afterwards nothing counts that was reported
 * before.
 */
#define CAN_ADOPT(i, k, date, set) (PRUNING && (i) != (k) && (k) < MEMBERS && IN_LIST(i) && HAS(LIST(i), k) \
  && member[i].isCatchingUp && ALL_ON_DISK \
  && (IS_LIAR(k) -> IS_MISSING(i, set, date) : LACKS(i, k) && member[k].pruned <= (date) \
    && (member[k].disk & UPTO(date)) == (set)) \
  && IS_AGREED(i, date, set))

inline adopt(i, date, state) {
  printf("member %d adopts a snapshot of date %d with the entries %d\n", i + 1, date, state);
  REQUIRE(!LIAR || HONEST_VOTES(OTHERS(i), date, state) > 0, "violated: no liar alone makes another adopt\n");
  d = 1;
  do
  :: d > DATES -> break
  :: else ->
    REQUIRE(LIAR || finals[d].set == 0 || ((finals[d].set - 1) & UPTO(date)) == ((state) & UPTO(d)),
      "violated: a snapshot contains what is final\n");
    d++
  od;
  member[i].dead = member[i].dead | (member[i].disk & UPTO(date) & ~(state));
  member[i].disk = (member[i].disk & ~UPTO(date)) | (state);
  member[i].held = member[i].disk;
  member[i].pruned = (member[i].pruned > (date) -> member[i].pruned : (date));
  member[i].published = (member[i].published > (date) -> member[i].published : (date));
  member[i].watermark = (member[i].watermark > (date) -> member[i].watermark : (date));
  acknowledged = acknowledged | (state);
  forgetAllReports()
}

/* A daemon that the list has left out: what is not in the members' final state becomes a dead letter. */
#define LEFT_BEHIND(i) (member[i].disk & ~(finals[DATES].set - 1) & ~member[i].dead)
#define CAN_BURY(i) (member[i].hasSecond && !HAS(SECOND, i) && finals[DATES].set > 0 && LEFT_BEHIND(i))

#define ENTRY_STEPS(i, e) \
  :: d_step { CAN_WRITE(i, e) -> take(i, e) } \
  :: d_step { CAN_RECEIVE(i, 0, e) -> take(i, e) } \
  :: d_step { CAN_RECEIVE(i, 1, e) -> take(i, e) } \
  :: d_step { CAN_RECEIVE(i, 2, e) -> take(i, e) } \
  :: d_step { CAN_RECEIVE(i, 3, e) -> take(i, e) }

#define ADOPT_STEPS(i, date, set) \
  :: d_step { CAN_LEAVE(i, date, set) -> leave(i, date, set) } \
  :: d_step { CAN_ADOPT(i, 0, date, set) -> adopt(i, date, set) } \
  :: d_step { CAN_ADOPT(i, 1, date, set) -> adopt(i, date, set) } \
  :: d_step { CAN_ADOPT(i, 2, date, set) -> adopt(i, date, set) } \
  :: d_step { CAN_ADOPT(i, 3, date, set) -> adopt(i, date, set) }

#define DATE_STEPS(i, date) \
  :: d_step { CAN_FINISH(i, date) -> finish(i, date) } \
  :: d_step { CAN_SIGN(i, date) -> VOTE(i, date) = (member[i].disk & UPTO(date)) + 1; \
      printf("member %d signs date %d with the entries %d\n", i + 1, date, member[i].disk & UPTO(date)) } \
  :: d_step { CAN_PRUNE(i, date) -> member[i].pruned = date; \
      printf("member %d prunes date %d\n", i + 1, date) }

active [HONEST] proctype Daemon() {
  d_step {
    member[_pid].isPastOnDisk = 1;
    member[_pid].isLive = HAS(FIRST, _pid)
  }
end:
  do
  ENTRY_STEPS(_pid, 0)
  :: d_step { member[_pid].watermark < DATES && SERVES(_pid) -> member[_pid].watermark++ }
  :: d_step { CAN_SYNC(_pid) ->
      printf("member %d syncs its disk: watermark %d, entries %d\n", _pid + 1, member[_pid].watermark, member[_pid].held);
      member[_pid].disk = member[_pid].held;
      member[_pid].published = member[_pid].watermark;
      member[_pid].isPastOnDisk = 1;
      acknowledged = acknowledged | member[_pid].disk;
      report(_pid) }
  DATE_STEPS(_pid, 1)
  :: d_step { CAN_LEARN(_pid) -> learn(_pid) }
  :: d_step { CAN_PULL(_pid, 0) -> member[_pid].held = member[_pid].held | member[0].disk; member[_pid].pulledFrom = 1 }
  :: d_step { CAN_PULL(_pid, 1) -> member[_pid].held = member[_pid].held | member[1].disk; member[_pid].pulledFrom = 2 }
  :: d_step { CAN_PULL(_pid, 2) -> member[_pid].held = member[_pid].held | member[2].disk; member[_pid].pulledFrom = 3 }
  :: d_step { CAN_PULL(_pid, 3) -> member[_pid].held = member[_pid].held | member[3].disk; member[_pid].pulledFrom = 4 }
  :: d_step { CAN_JOIN(_pid) -> join(_pid) }
  :: d_step { CAN_RETURN(_pid) -> member[_pid].isCatchingUp = 0; report(_pid); printf("member %d is live again\n", _pid + 1) }
  :: d_step { restarts > 0 -> restart(_pid) }
  :: d_step { losses > 0 && ALL_ON_DISK -> lose(_pid) }
  :: d_step { CAN_BURY(_pid) -> member[_pid].dead = member[_pid].dead | LEFT_BEHIND(_pid) }
  ADOPT_STEPS(_pid, 1, 0)
  ADOPT_STEPS(_pid, 1, 1)
#if DATES > 1
  DATE_STEPS(_pid, 2)
  ADOPT_STEPS(_pid, 2, 0)
  ADOPT_STEPS(_pid, 2, 1)
#endif
#if ENTRIES > 1
  ENTRY_STEPS(_pid, 1)
  ADOPT_STEPS(_pid, 2, 2)
  ADOPT_STEPS(_pid, 2, 3)
#endif
  od
}

active proctype Administrator() {
end:
  d_step { FIRST != SECOND -> isSigned = 1; printf("the second list is signed\n") }
}

/* A member of the last list. */
#define IS_MEMBER(i) ((i) < HONEST && HAS(FIRST != SECOND -> SECOND : FIRST, i))
#define IS_DONE(i) (!IS_MEMBER(i) || member[i].final == DATES)
#define IS_CALM(i) (!IS_MEMBER(i) || !member[i].isCatchingUp)
#define HOLDS(i, e) (!IS_MEMBER(i) || member[i].isCatchingUp || (member[i].disk & ENTRY(e)))
#define ON_A_DISK(e) (((member[0].disk | member[1].disk | MEMBER_2 | MEMBER_3) & ENTRY(e)) != 0)
#define BURIED(e) (((member[0].dead | member[1].dead | DEAD_2 | DEAD_3) & ENTRY(e)) != 0)
#if MEMBERS > 2
#define MEMBER_2 member[2].disk
#define DEAD_2 member[2].dead
#else
#define MEMBER_2 0
#define DEAD_2 0
#endif
#if MEMBERS > 3
#define MEMBER_3 member[3].disk
#define DEAD_3 member[3].dead
#else
#define MEMBER_3 0
#define DEAD_3 0
#endif
#define EACH(P) (P(0) && P(1) && (HONEST < 3 || P(2)) && (HONEST < 4 || P(3)))
#define EACH_HOLDS(e) (HOLDS(0, e) && HOLDS(1, e) && (MEMBERS < 3 || HOLDS(2, e)) && (MEMBERS < 4 || HOLDS(3, e)))
/*
 * An acknowledged entry is in the final state of each member that serves, or a dead letter, or a member that shows that
 * entries are missing still has it. Otherwise the disks that had it were lost.
 */
#define AWAITS(i, e) ((i) < HONEST && member[i].isCatchingUp && (member[i].disk & ENTRY(e)))
#define ONE_AWAITS(e) (AWAITS(0, e) || AWAITS(1, e) || (HONEST > 2 && AWAITS(2, e)) || (HONEST > 3 && AWAITS(3, e)))
#define IS_KEPT(e) (!(acknowledged & ENTRY(e)) || EACH_HOLDS(e) || BURIED(e) || ONE_AWAITS(e) \
  || (LOSSES && !ON_A_DISK(e)))

/* When nothing can happen any longer, all daemons run, are connected, and have received everything. */
active proctype Check() {
  timeout ->
    /* Everything is final. Otherwise a member shows that entries are missing: it awaits a snapshot of a later date. */
    REQUIRE(LIAR || EACH(IS_DONE) || (PRUNING && !EACH(IS_CALM)), "violated: everything becomes final\n");
    REQUIRE(IS_KEPT(0), "violated: an acknowledged entry is final or a dead letter\n");
#if ENTRIES > 1
    REQUIRE(IS_KEPT(1), "violated: an acknowledged entry is final or a dead letter\n");
#endif
}
