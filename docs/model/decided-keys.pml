/*
 * Decided keys: when a pattern may begin, and which members may record or place a client's envelope. README.md explains
 * the rules and how to read this file.
 */

/* Sizes. A clock shows a date. Two clocks differ by at most SKEW, and a daemon accepts dates up to FUTURE ahead of its
   clock; member 3, whose window is wider, up to WIDER more. */
#ifndef DATES
#define DATES 5
#endif
#ifndef SKEW
#define SKEW 0
#endif
#ifndef FUTURE
#define FUTURE 1
#endif
#ifndef WIDER
#define WIDER 0
#endif
#ifndef RESTARTS
#define RESTARTS 0
#endif

/* The decisions. Their dates increase with their slots, so that dates show the order. */
#define ANNOUNCED 1            /* CLUSTER DECIDE */
#define BEGUN 2                /* CLUSTER DECIDED */
#define PLACED 4               /* the client's envelope */
#define REMOVED 8              /* CLUSTER UNDECIDE */

typedef Member {
  bit isAhead;                 /* its clock is ahead of the others by SKEW */
  unsigned watermark : 3;      /* it accepts no entry that is dated at or before this date */
  unsigned has : 4;            /* the decisions in its memory */
  unsigned disk : 4;           /* and on its disk */
  bit hasPlain;                /* it has the client's envelope as a plain entry */
  unsigned final : 3;          /* everything dated at or before this date is final, as far as this member knows */
  bit isBack;                  /* it has restarted, and not received yet what another member has */
  unsigned latest : 4;         /* the latest date that it may have accepted before it knew the pattern */
  bit isKnown;                 /* each member knows the pattern, as far as this member knows */
  unsigned lastWrite : 4;      /* then: the latest date of a write without a decision */
}

Member member[3];
unsigned decided : 4;          /* the decisions that were made */
unsigned announcedAt : 3;      /* their dates */
unsigned begunAt : 3;
unsigned placedAt : 3;
unsigned removedAt : 3;
unsigned last : 3;             /* the date of the last one */
unsigned signedAt : 3;         /* the date of the client's envelope. The client has sent it to all daemons */
bit isRecorded;                /* a daemon has recorded it without a decision, and acknowledged it */
unsigned now : 3 = 1;
unsigned restarts : 2 = RESTARTS;

/* Stops the search if a rule does not hold. The text is the last line of the trace. */
#define REQUIRE(condition, text) if :: condition :: else -> printf(text); assert(false) fi
#define KEPT "violated: no acknowledged write is void\n"
#define ONCE "violated: no envelope takes effect twice\n"
#define STAYS "violated: no plain write comes before a final position\n"

#define CLOCK(m) (now + SKEW * m.isAhead)
#define MAX(a, b) ((a) > (b) -> (a) : (b))
/* Usually member 1 is the keeper, and member 2 votes: only they decide. With ANY_KEEPER, each two members do. */
#ifdef ANY_KEEPER
#define IS_KEEPER 1
#define IS_VOTER 1
#else
#define IS_KEEPER (_pid == 0)
#define IS_VOTER (_pid == 1)
#endif
#define ME member[_pid]
#define NEXT member[(_pid + 1) % 3]
#define OTHER member[(_pid + 2) % 3]

#define UP_TO(date) \
  (((announcedAt <= (date)) * ANNOUNCED | (begunAt <= (date)) * BEGUN | \
    (placedAt <= (date)) * PLACED | (removedAt <= (date)) * REMOVED) & decided)

/* What a member knows. It ignores the other decisions on a pattern that it does not know. */
#define KNOWS(m) (m.has & ANNOUNCED)
#define SEES_REMOVED(m) (KNOWS(m) && (m.has & REMOVED))
#define SEES_BEGUN(m) (KNOWS(m) && (m.has & BEGUN) && !(m.has & REMOVED))
#define IS_FREE(m) (!KNOWS(m) || SEES_REMOVED(m))

/* Whether the envelope is void at its own date, for a member with these decisions. */
#define IS_VOID(set) \
  (((set) & BEGUN) && signedAt >= begunAt && !(((set) & REMOVED) && signedAt > removedAt))

#ifdef TAKES_IMMEDIATELY
#define MAY_FOLLOW_REMOVAL(m) 1
#else
#define MAY_FOLLOW_REMOVAL(m) (!SEES_REMOVED(m) || signedAt > removedAt + FUTURE)
#endif
#define MAY_PLACE_AT(date) (signedAt <= (date) + FUTURE)

/* A report shows the same entries up to a date. It may be of this moment: what a member has reported, it has. */
#define AGREES(other, date) \
  (other.watermark >= (date) && (other.has & UP_TO(date)) == (ME.has & UP_TO(date)) && \
   (signedAt > (date) || other.hasPlain == ME.hasPlain))
#define MIN(a, b) ((a) < (b) -> (a) : (b))
#ifdef NOT_COUNTED
#define ALL_AGREE(date) AGREES(NEXT, date)
#define NEXT_FINAL MIN(ME.watermark, NEXT.watermark)
#else
#define ALL_AGREE(date) (AGREES(NEXT, date) && AGREES(OTHER, date))
#define NEXT_FINAL MIN(ME.watermark, MIN(NEXT.watermark, OTHER.watermark))
#endif

#ifdef NOT_FINAL
#define IS_KNOWN_TO_ALL 1
#else
#define IS_KNOWN_TO_ALL (ME.final >= announcedAt)
#endif
/* What a member reports is at least what it has accepted when it learns of the pattern. Once the voter has noted it,
   nothing depends on it. */
#ifdef ANY_KEEPER
#define IS_REPORTED 1
#define forgetLatest() skip
#else
#define IS_REPORTED (!member[1].isKnown)
#define forgetLatest() member[0].latest = 0; member[1].latest = 0; member[2].latest = 0
#endif
#define TAKES_UP_TO (CLOCK(ME) + FUTURE + WIDER * (_pid == 2))
#ifdef NOT_AHEAD
#define LAST_WRITE announcedAt
#else
#ifdef OWN_WINDOW
#define LAST_WRITE (CLOCK(ME) + FUTURE + SKEW)
#else
#define LAST_WRITE MAX(ME.latest, MAX(NEXT.latest, OTHER.latest))
#endif
#endif
#ifdef UNCHECKED
#define MAY_BEGIN(m) 1
#else
#define MAY_BEGIN(m) (m.isKnown && m.final >= m.lastWrite)
#endif

#ifdef PLACES_ANNOUNCED
#define IS_TO_DECIDE(m) (KNOWS(m) && !SEES_REMOVED(m))
#else
#define IS_TO_DECIDE(m) SEES_BEGUN(m)
#endif
#ifdef FORGETS_RECORDED
#define IS_NEW(m) 1
#else
#define IS_NEW(m) (!m.hasPlain)
#endif

#if RESTARTS > 0
#define IS_STORED (member[2].has == member[2].disk)
#else
#define IS_STORED 1
#endif

/* Seconds pass until the clocks show the next date: what was received is on the disks by then. */
inline tick() {
  d_step {
    now < DATES && IS_STORED ->
    now++;
    printf("it is %d\n", now)
  }
}

inline close() {
  d_step { ME.watermark < CLOCK(ME) -> ME.watermark = CLOCK(ME); printf("member %d accepts nothing up to %d\n", _pid + 1, ME.watermark) }
}

inline store() {
  d_step { _pid == 2 && ME.disk != ME.has -> ME.disk = ME.has }
}

inline forget(m) {
  m.final = 0;
  m.isKnown = 0;
  m.lastWrite = 0
}

/* What was received and is not on the disk is lost. Member 3 restarts: the other ones decide, and know more. */
inline restart() {
  d_step {
    _pid == 2 && restarts > 0 && ME.has != ME.disk ->
    restarts--;
    ME.has = ME.disk;
    forget(ME);
    ME.isBack = 1;
    printf("member %d restarts without what is not on its disk\n", _pid + 1)
  }
}

inline catchUp(other) {
  d_step {
    ME.isBack && (other.has & ~ME.has) == 0 ->
    ME.isBack = 0;
    printf("member %d has what another member has\n", _pid + 1)
  }
}

inline receive(decision) {
  d_step {
    ((NEXT.has | OTHER.has) & ~ME.has & decision) != 0 ->
    ME.has = ME.has | decision;
    if :: decision == ANNOUNCED && IS_REPORTED -> ME.latest = TAKES_UP_TO :: else fi;
    printf("member %d receives decision %d\n", _pid + 1, decision)
  }
}

inline receivePlain() {
  d_step {
    !ME.hasPlain && (NEXT.hasPlain || OTHER.hasPlain) ->
    ME.hasPlain = 1;
    printf("member %d receives the recorded envelope\n", _pid + 1)
  }
}

/* After the beginning, nothing depends on it. */
inline finalize() {
  d_step {
    IS_VOTER && !(decided & BEGUN) && ME.final < NEXT_FINAL && ALL_AGREE(NEXT_FINAL) ->
    ME.final = NEXT_FINAL;
    printf("date %d is final for member %d\n", ME.final, _pid + 1)
  }
}

inline note() {
  d_step {
    IS_VOTER && !ME.isKnown && KNOWS(ME) && !(decided & BEGUN) && IS_KNOWN_TO_ALL ->
    ME.isKnown = 1;
    ME.lastWrite = LAST_WRITE;
    forgetLatest();
    printf("member %d notes that each member knows the pattern: no plain write after %d\n", _pid + 1, ME.lastWrite)
  }
}

#ifdef SERVES_IMMEDIATELY
#define IS_SERVING 1
#else
#define IS_SERVING (!ME.isBack)
#endif

/* A daemon records the client's envelope without a decision. */
inline record() {
  d_step {
    !ME.hasPlain && IS_SERVING && IS_FREE(ME) && MAY_FOLLOW_REMOVAL(ME) &&
    signedAt > ME.watermark && signedAt <= TAKES_UP_TO && !IS_VOID(ME.has & -KNOWS(ME)) ->
    ME.hasPlain = 1;
    isRecorded = 1;
    printf("member %d records the envelope of date %d\n", _pid + 1, signedAt);
    REQUIRE(!(decided & PLACED), ONCE);
    REQUIRE(!IS_VOID(decided), KEPT);
    REQUIRE(!(decided & BEGUN) || signedAt >= begunAt, STAYS)
  }
}

/* Decisions. This member is the keeper, and one other member votes: it has each earlier decision, and has not closed the
   date. */
#define MAY_VOTE(m) (IS_KEEPER && ME.has == decided && m.has == decided)

#define DATE(m) MAX(CLOCK(ME), 1 + MAX(last, MAX(ME.watermark, m.watermark)))

inline announce(voter) {
  d_step {
    IS_KEEPER && decided == 0 && DATE(voter) <= DATES ->
    announcedAt = DATE(voter);
    last = announcedAt;
    decided = ANNOUNCED;
    ME.has = ME.has | ANNOUNCED;
    ME.latest = TAKES_UP_TO;
    printf("member %d and another one announce the pattern at %d\n", _pid + 1, announcedAt)
  }
}

inline begin(voter) {
  d_step {
    MAY_VOTE(voter) && decided == ANNOUNCED && MAY_BEGIN(voter) && DATE(voter) <= DATES ->
    begunAt = DATE(voter);
    last = begunAt;
    decided = decided | BEGUN;
    ME.has = ME.has | BEGUN;
    forget(ME); forget(NEXT); forget(OTHER);
    printf("member %d and another one begin the pattern at %d\n", _pid + 1, begunAt);
    REQUIRE(!isRecorded || !IS_VOID(decided), KEPT);
    REQUIRE(!isRecorded || (ME.hasPlain && NEXT.hasPlain && OTHER.hasPlain), STAYS)
  }
}

inline place(voter) {
  d_step {
    MAY_VOTE(voter) && (decided & ANNOUNCED) && !(decided & PLACED) && IS_TO_DECIDE(ME) && IS_TO_DECIDE(voter) &&
    IS_NEW(ME) && IS_NEW(voter) && MAY_PLACE_AT(DATE(voter)) && DATE(voter) <= DATES ->
    placedAt = DATE(voter);
    last = placedAt;
    decided = decided | PLACED;
    ME.has = ME.has | PLACED;
    printf("member %d and another one place the envelope of date %d at %d\n", _pid + 1, signedAt, placedAt);
    REQUIRE(!isRecorded, ONCE)
  }
}

inline remove(voter) {
  d_step {
    MAY_VOTE(voter) && (decided & ANNOUNCED) && !(decided & REMOVED) && DATE(voter) <= DATES ->
    removedAt = DATE(voter);
    last = removedAt;
    decided = decided | REMOVED;
    ME.has = ME.has | REMOVED;
    printf("member %d and another one remove the pattern at %d\n", _pid + 1, removedAt)
  }
}

/* With BEGINS, only what leads to the beginning is searched. */
#ifdef BEGINS
#define DECISIONS(voter) :: announce(voter) :: begin(voter)
#else
#define DECISIONS(voter) :: announce(voter) :: begin(voter) :: place(voter) :: remove(voter)
#endif

active [3] proctype steps() {
  signedAt > 0;
end:
  do
  :: close()
#if RESTARTS > 0
  :: store()
  :: restart()
  :: catchUp(NEXT)
  :: catchUp(OTHER)
#endif
  :: receive(ANNOUNCED)
  :: receive(BEGUN)
  :: receive(PLACED)
  :: receive(REMOVED)
  :: receivePlain()
  :: record()
#ifdef ANY_KEEPER
  :: finalize()
  :: note()
  DECISIONS(NEXT)
  DECISIONS(OTHER)
#else
  DECISIONS(NEXT)
  :: finalize()
  :: note()
#endif
  od
}

/* The clock whose date is ahead, and the client. */
init {
  byte i = 1;
  atomic {
#if SKEW > 0
    if
    :: member[0].isAhead = 1; printf("the clock of member 1 is ahead\n")
    :: member[1].isAhead = 1; printf("the clock of member 2 is ahead\n")
    :: member[2].isAhead = 1; printf("the clock of member 3 is ahead\n")
    fi;
#endif
    do
    :: i < DATES -> i++
    :: break
    od;
    signedAt = i;
    printf("a client signs an envelope of date %d\n", signedAt);
    i = 0
  };
end:
  do
  :: tick()
  od
}
