/*
 * Followers: a client reads the entries of a stream after an entry, while the members date further entries. README.md
 * explains the rules and how to read this file.
 */

/* Sizes. The follower is at member 1; the other members are numbered from 2. Dates are numbered from 1. */
#ifndef MEMBERS
#define MEMBERS 3
#endif
#ifndef DATES
#define DATES 3
#endif
#ifndef RESTARTS
#define RESTARTS 0
#endif

#define BIT(date) (1 << (date))
#define UP_TO(date) (BIT((date) + 1) - 1)
#define MAX(a, b) ((a) > (b) -> (a) : (b))
#define NEWEST_IN(set) ((set) >= 8 -> 3 : ((set) >= 4 -> 2 : ((set) >= 2 -> 1 : 0)))

/* A member other than the follower's. Its entries are the set of their dates, as bits. */
typedef Member {
  unsigned clock : 2;
  unsigned dated : 4;          /* its entries, in its memory */
  unsigned stored : 4;         /* and on its disk */
  unsigned sent : 4;           /* and sent on the current connection, or received before */
  unsigned received : 4;       /* the entries that the follower's daemon has */
  unsigned closed : 2;         /* it signs nothing more that is dated at or before this date */
  unsigned storedClosed : 2;   /* this date as it is on the disk */
  unsigned requested : 2;
  unsigned answered : 2;
  unsigned before : 4;         /* the entries that it sent before the answer */
  unsigned counted : 2;        /* the answer that the follower's daemon has counted */
}

Member member[MEMBERS];        /* 0: the follower's daemon, which has all entries of its own immediately */
unsigned delivered : 2;        /* the latest date that the follower has received */
unsigned restarts : 2 = RESTARTS;
byte i;

/* Stops the search if a rule does not hold. The text is the last line of the trace. */
#define REQUIRE(condition, text) if :: condition :: else -> printf(text); assert(false) fi
#define MISSED "violated: a follower misses no entry\n"

#define MINE member[_pid]
#define HOME member[0]
#if MEMBERS == 2
#define ALL_RECEIVED (HOME.dated | member[1].received)
#define ARE_CLOSED(date) (member[1].counted >= date)
#else
#define ALL_RECEIVED (HOME.dated | member[1].received | member[2].received)
#define ARE_CLOSED(date) (member[1].counted >= date && member[2].counted >= date)
#endif

#ifdef NOT_CLOSED_HERE
#define NEXT_DATE MAX(MINE.clock, NEWEST_IN(MINE.dated) + 1)
#else
#define NEXT_DATE MAX(MINE.clock, MAX(NEWEST_IN(MINE.dated), MINE.closed) + 1)
#endif
#ifdef BY_CLOCK
#define NEXT_DATE_HOME MAX(HOME.clock, NEWEST_IN(HOME.dated) + 1)
#else
#define NEXT_DATE_HOME MAX(HOME.clock, NEWEST_IN(ALL_RECEIVED) + 1)
#endif

inline tick() {
  d_step { MINE.clock < DATES -> MINE.clock++; printf("the clock of member %d shows %d\n", _pid + 1, MINE.clock) }
}

inline sign() {
  d_step {
    NEXT_DATE <= DATES ->
    i = NEXT_DATE;
    MINE.dated = MINE.dated | BIT(i);
    printf("member %d signs an entry of date %d\n", _pid + 1, i);
    i = 0
  }
}

inline store() {
  d_step {
    MINE.stored != MINE.dated || MINE.storedClosed != MINE.closed ->
    MINE.stored = MINE.dated;
    MINE.storedClosed = MINE.closed
  }
}

inline send() {
  d_step { MINE.sent != MINE.stored -> MINE.sent = MINE.stored; printf("member %d sends what is on its disk\n", _pid + 1) }
}

inline close() {
  d_step {
    MINE.closed < MINE.requested ->
    MINE.closed = MINE.requested;
    printf("member %d closes date %d\n", _pid + 1, MINE.closed)
  }
}

#ifdef NOT_ON_DISK
#define IS_STORED 1
#else
#define IS_STORED (MINE.storedClosed >= MINE.closed)
#endif
#ifdef NOT_SENT
#define ARE_SENT 1
#else
#define ARE_SENT ((MINE.dated & UP_TO(MINE.closed) & ~MINE.sent) == 0)
#endif

inline answer() {
  d_step {
    MINE.answered < MINE.closed && IS_STORED && ARE_SENT ->
    MINE.answered = MINE.closed;
    MINE.before = MINE.sent;
    printf("member %d answers that date %d is closed\n", _pid + 1, MINE.answered)
  }
}

/* What was not on the disk is lost, and what was on its way too. The comparison sends it again. */
inline restart() {
  d_step {
    restarts > 0 ->
    restarts--;
    MINE.dated = MINE.stored;
    MINE.sent = MINE.received;
    MINE.answered = MINE.counted;
    MINE.before = 0;
#ifdef FORGETS_CLOSED
    MINE.storedClosed = 0;
#endif
    MINE.closed = MINE.storedClosed;
    printf("member %d restarts\n", _pid + 1)
  }
}

/* Steps of the follower's daemon. */

inline receive(m, date) {
  d_step {
    (member[m].sent & ~member[m].received & BIT(date)) != 0 &&
    (member[m].sent & ~member[m].received & UP_TO(date - 1)) == 0 ->
    member[m].received = member[m].received | BIT(date);
    printf("member 1 receives the entry of date %d of member %d\n", date, m + 1);
    REQUIRE(date > delivered, MISSED)
  }
}

inline signHome() {
  d_step {
    NEXT_DATE_HOME <= DATES ->
    i = NEXT_DATE_HOME;
    HOME.dated = HOME.dated | BIT(i);
    printf("member 1 signs an entry of date %d\n", i);
    REQUIRE(i > delivered, MISSED);
    i = 0
  }
}

/* Any date of an entry may be requested: the follower has it, or its daemon. */
inline request(m) {
  d_step {
    member[m].requested < NEWEST_IN(ALL_RECEIVED) ->
    member[m].requested = NEWEST_IN(ALL_RECEIVED);
    printf("member 1 requests that member %d closes date %d\n", m + 1, member[m].requested)
  }
}

#ifdef UNORDERED
#define HAS_BEFORE(m) 1
#else
#define HAS_BEFORE(m) ((member[m].before & ~member[m].received) == 0)
#endif

inline count(m) {
  d_step { member[m].counted < member[m].answered && HAS_BEFORE(m) -> member[m].counted = member[m].answered }
}

#ifdef LEFT_OUT
#define MAY_DELIVER(date) 1
#else
#define MAY_DELIVER(date) ARE_CLOSED(date)
#endif

inline deliver(date) {
  d_step {
    delivered < date && (ALL_RECEIVED & BIT(date)) != 0 && MAY_DELIVER(date) ->
    delivered = date;
    printf("the follower receives the entries up to date %d\n", date)
  }
}

#define STEPS_WITH(m) :: receive(m, 1) :: receive(m, 2) :: receive(m, 3) :: request(m) :: count(m)

active proctype home() {
end:
  do
  :: tick()
  :: signHome()
  STEPS_WITH(1)
#if MEMBERS > 2
  STEPS_WITH(2)
#endif
  :: deliver(1)
  :: deliver(2)
  :: deliver(3)
  od
}

active [MEMBERS - 1] proctype steps() {
end:
  do
  :: tick()
  :: sign()
  :: store()
  :: send()
  :: close()
  :: answer()
#if RESTARTS > 0
  :: restart()
#endif
  od
}
