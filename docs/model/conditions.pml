/*
 * Conditions: the members of a list decide units with conditions, one after the other, in slots. README.md explains the
 * rules and how to read this file.
 */

/* Sizes. Members, ballots and slots are numbered from 0 here, and from 1 in the traces. */
#ifndef MEMBERS
#define MEMBERS 3
#endif
#ifndef BALLOTS
#define BALLOTS 3
#endif
#ifndef SLOTS
#define SLOTS 2
#endif
/* The number of dates of decisions: 2, with the plain write between them, or 1, below it. */
#ifndef DATES
#define DATES 2
#endif
/* Whether there is a plain write of the key. It may reach each member at any time. */
#ifndef PLAIN
#define PLAIN 0
#endif
/* The number of restarts with the disk, and without it. */
#ifndef RESTARTS
#define RESTARTS 0
#endif
#ifndef LOSSES
#define LOSSES 0
#endif
/* The lists of members, as sets, and the first ballot of the second list. */
#ifndef LIST_1
#define LIST_1 EVERYONE
#define LIST_2 EVERYONE
#define FIRST_OF_LIST_2 BALLOTS
#endif

/*
 * With GAP and 3 slots, the search begins when members 1 to 3 have decided the first two slots in ballot 1, and the
 * others have received no entry of them: they were not connected.
 */
#if defined GAP && SLOTS == 3
#define BEGINS_WITH_GAP 1
#else
#define BEGINS_WITH_GAP 0
#endif

#define EVERYONE ((1 << MEMBERS) - 1)
#define ME (1 << _pid)
#define COUNT(set) (((set) & 1) + (((set) >> 1) & 1) + (((set) >> 2) & 1) + (((set) >> 3) & 1) + (((set) >> 4) & 1))
#define IS_MAJORITY(list, set) (2 * COUNT((set) & (list)) > COUNT(list))
#define IS_IN_LIST_2(b) (b >= FIRST_OF_LIST_2)
#define LIST_OF(b) (IS_IN_LIST_2(b) -> LIST_2 : LIST_1)

/* What is decided in a slot: a unit, whether its date is above that of the plain write, and its outcome. */
typedef Decision {
  unsigned unit : 2;           /* 0: none */
  bit isLate;
  bit isApplied;
  bit isInList2;               /* a majority of the second list voted for it */
}

typedef Slot {
  unsigned unit : 2;           /* the proposal, as in Decision; 0: none */
  bit isLate;
  bit isApplied;
  bit isBound;                 /* the keeper found it in a promise: members do not evaluate it again */
  bit plainWasKnown;           /* for a rule: a majority had the plain write before it was first proposed */
  unsigned votes : 5;          /* the members that have voted for it */
}

typedef Ballot {
  unsigned keeper : 3;         /* member + 1; 0: not started */
  unsigned promises : 5;       /* the promises that the keeper has, and the last vote that they contain */
  unsigned voteSlot : 2;
  unsigned voteBallot : 3;
#ifdef OPEN_VOTES
  unsigned last : 2;           /* the most decided slots that a member had when it promised */
#endif
  Slot slot[SLOTS];
}

typedef Member {
  unsigned promised : 3;       /* on the disk before it is sent: the highest promised ballot + 1 */
  unsigned voteSlot : 2;       /* on the disk before it is sent: the last vote; slot + 1 */
  unsigned voteBallot : 3;
  unsigned folded : 2;         /* the number of the first decided slots that it has */
#ifdef GAP
  unsigned has : 3;            /* all decided slots that it has, as a set: it may miss the entry of an earlier one */
#endif
#if RESTARTS > 0
  unsigned stored : 2;         /* and the number of those that are on its disk */
#endif
  bit hasPlain;
  bit isClosed;                /* it reported that it adds no entry with an early date any more */
  bit isAmnesic;               /* it lost its disk, or joins: it does not promise, vote or report yet */
}

Member member[MEMBERS];
Ballot ballot[BALLOTS];
Decision decided[SLOTS];       /* the entries that the votes of a majority make; a member has the first `folded` of them */
bit firstIsProposed;
bit majorityHadPlain;          /* for a rule: a majority had the plain write at some moment */
bit isFinal;                   /* all members have reported that they add no entry with an early date any more */
bit isReportedNotApplied;      /* a member has reported that unit 1 is not applied, and never will be */
unsigned restarts : 2 = RESTARTS;
unsigned losses : 2 = LOSSES;
unsigned calm : 3;             /* from now on there are no faults, and this member (+ 1) becomes the keeper */
unsigned down : 3 = MEMBERS;   /* the member that is down from then on */
bit isRefused;                 /* and whether its first proposal was refused */
byte i;

/* Stops the search if a rule does not hold. The text is the last line of the trace. */
#define REQUIRE(condition, text) if :: condition :: else -> printf(text); assert(false) fi

#define MINE member[_pid]
#define NEXT (MINE.folded)
#define AT(b) ballot[b].slot[NEXT]
#define LAST_VOTE(b) ballot[ballot[b].voteBallot].slot[NEXT]
#define IS_KEEPER(b) (ballot[b].keeper == _pid + 1)
#define IS_UP (_pid != down)
#define IS_VOTER (IS_UP && !MINE.isAmnesic)

/* For rules: whether a majority has the plain write. */
#if MEMBERS == 3
#define SET_OF(f) (f(0) + f(1) * 2 + f(2) * 4)
#elif MEMBERS == 4
#define SET_OF(f) (f(0) + f(1) * 2 + f(2) * 4 + f(3) * 8)
#else
#define SET_OF(f) (f(0) + f(1) * 2 + f(2) * 4 + f(3) * 8 + f(4) * 16)
#endif
#define HAS_PLAIN(m) member[m].hasPlain
#define IS_CLOSED(m) member[m].isClosed
#define IS_IN_BALLOT_OF_LIST_2(m) (member[m].promised > FIRST_OF_LIST_2)
/* The first list counts until these members of it have promised a ballot of the second one: one of each majority, or all that remain. */
#define CLOSES_LIST_1(set) (2 * COUNT((set) & LIST_1) >= COUNT(LIST_1) || ((set) & LIST_1) == (LIST_1 & LIST_2))
#define LIST_IN_FORCE (CLOSES_LIST_1(SET_OF(IS_IN_BALLOT_OF_LIST_2)) -> LIST_2 : LIST_1)
#define MAJORITY_HAS_PLAIN IS_MAJORITY(LIST_IN_FORCE, SET_OF(HAS_PLAIN))

/* For rules: what is decided in the slots before the next one. */
#define WAS_UNTOUCHED (NEXT == 0 || (!decided[0].isApplied && (NEXT == 1 || !decided[1].isApplied)))
#define WAS_DECIDED(u) (NEXT > 0 && (decided[0].unit == u || (NEXT > 1 && decided[1].unit == u)))

/* What follows from the entries that the member has. The condition of both units is that no write has changed the key. */
#ifdef GAP
#define HAS(s) ((MINE.has >> s) & 1)
#define IS_UNTOUCHED (!(HAS(0) && decided[0].isApplied) && !(HAS(1) && decided[1].isApplied))
#define IS_DECIDED(u) ((HAS(0) && decided[0].unit == u) || (HAS(1) && decided[1].unit == u))
#else
#define IS_UNTOUCHED WAS_UNTOUCHED
#define IS_DECIDED(u) WAS_DECIDED(u)
#endif
#define HOLDS(late) (IS_UNTOUCHED && !(MINE.hasPlain && late))
#ifdef BELOW_KNOWN_WRITE
#define IS_ABOVE_WRITES(late) (late || NEXT == 0 || !decided[NEXT - 1].isLate)
#else
#define IS_ABOVE_WRITES(late) (late || (!MINE.hasPlain && (NEXT == 0 || !decided[NEXT - 1].isLate)))
#endif
/* With WINDOW, the window of unit 1 ends at the date of the plain write. */
#ifdef WINDOW
#define IS_IN_WINDOW(u, late) (u == 2 || !late)
#define IS_NEXT_UNIT(u) true
#else
#define IS_IN_WINDOW(u, late) true
/* The units are equal until one is proposed: call that one unit 1. */
#define IS_NEXT_UNIT(u) (u == 1 || firstIsProposed)
#endif
#define IS_VALID(u, late) (!IS_DECIDED(u) && IS_ABOVE_WRITES(late) && IS_IN_WINDOW(u, late) && (late || !MINE.isClosed))

/* Ballots. With PROGRESS, the last two are reserved for the calm: see `go_calm`. */
#ifdef PROGRESS
#define MAY_START(b) (b == BALLOTS - 2 -> calm == _pid + 1 : (b == BALLOTS - 1 -> calm == _pid + 1 && isRefused : calm == 0))
#else
#define MAY_START(b) true
#endif

/* A member with a unit that is not decided becomes a candidate. (The members are equal: the lowest ballot is member 1's.) */
inline start(b) {
  d_step {
    IS_UP && ballot[b].keeper == 0 && MINE.promised <= b && MAY_START(b) && (LIST_OF(b) & ME) != 0 &&
    (_pid <= b || (LIST_1 != LIST_2 && (_pid != 1 || b > 0)) || calm > 0 || BEGINS_WITH_GAP) ->
    ballot[b].keeper = _pid + 1;
    printf("member %d starts ballot %d\n", _pid + 1, b + 1);
    if
    :: MINE.isAmnesic
    :: else -> make_promise(b)
    fi
  }
}

#ifdef LIST_ALONE
#define NEEDS_LIST_1(b) false
#elif defined JOINT_ONCE
#define NEEDS_LIST_1(b) (b == FIRST_OF_LIST_2 || !CLOSES_LIST_1(ballot[FIRST_OF_LIST_2].promises))
#else
#define NEEDS_LIST_1(b) (IS_IN_LIST_2(b) && !(NEXT > 0 && decided[0].isInList2) && !(NEXT > 1 && decided[1].isInList2))
#endif
#define IS_PROMISED(b) (IS_MAJORITY(LIST_OF(b), ballot[b].promises) && (!NEEDS_LIST_1(b) || CLOSES_LIST_1(ballot[b].promises)))
/* A keeper that has a majority needs no more promises, unless it lost its disk. */
#define NEEDS_PROMISE(b) (ballot[b].keeper != 0 && \
  (member[ballot[b].keeper - 1].isAmnesic || !IS_MAJORITY(LIST_OF(b), ballot[b].promises) || !CLOSES_LIST_1(ballot[b].promises)))

inline promise(b) {
  d_step {
    IS_VOTER && NEEDS_PROMISE(b) && MINE.promised <= b && (LIST_OF(b) & ME) != 0 ->
    make_promise(b);
    printf("member %d promises ballot %d\n", _pid + 1, b + 1)
  }
}

/* A write to the disk contains the decisions that the member had before. No vote and no answer waits for their own write. */
#if RESTARTS > 0
#define WRITE_DECISIONS MINE.stored = NEXT
#else
#define WRITE_DECISIONS skip
#endif

/* With OPEN_VOTES, as in the daemon: a member that has the decision reports the decision and not its vote. */
#ifdef OPEN_VOTES
#define REPORTS_VOTE (MINE.voteSlot > NEXT)
#define REPORT_LAST(b) ballot[b].last = (NEXT > ballot[b].last -> NEXT : ballot[b].last)
#define HAS_LAST(b) (NEXT >= ballot[b].last)
#else
#define REPORTS_VOTE true
#define REPORT_LAST(b) skip
#define HAS_LAST(b) true
#endif
#ifdef RETURNS_WITHOUT_DECISIONS
#define HAS_THEIR_DECISIONS(b) true
#else
#define HAS_THEIR_DECISIONS(b) HAS_LAST(b)
#endif

inline make_promise(b) {
  WRITE_DECISIONS;
  MINE.promised = b + 1;
  ballot[b].promises = ballot[b].promises | ME;
  REPORT_LAST(b);
  if
  :: REPORTS_VOTE && (MINE.voteSlot > ballot[b].voteSlot ||
     (MINE.voteSlot == ballot[b].voteSlot && MINE.voteBallot > ballot[b].voteBallot)) ->
    ballot[b].voteSlot = MINE.voteSlot;
    ballot[b].voteBallot = MINE.voteBallot
  :: else
  fi
}

/*
 * A member that lost its disk votes again when all other members have promised its ballot, and it has their entries. With
 * JOINS_WITH_ENTRIES, a member that joins votes when the promises for its ballot close the first list.
 */
#define MAY_RETURN(b) ((LIST_1 & ME) != 0 -> (ballot[b].promises | ME) == EVERYONE : CLOSES_LIST_1(ballot[b].promises))
inline recover(b) {
  d_step {
    IS_UP && IS_KEEPER(b) && MINE.isAmnesic && MAY_RETURN(b) && HAS_THEIR_DECISIONS(b) ->
    MINE.isAmnesic = 0;
    MINE.promised = b + 1;
    MINE.voteSlot = ballot[b].voteSlot;
    MINE.voteBallot = ballot[b].voteBallot;
#ifndef RETURNS_EMPTY
    MINE.hasPlain = MINE.hasPlain || (ballot[b].promises & SET_OF(HAS_PLAIN)) != 0;
#endif
    printf("member %d votes again, from ballot %d on\n", _pid + 1, b + 1)
  }
}

#ifdef SECOND_ATTEMPT
#define HAS_PROPOSED(b) false
#else
#define HAS_PROPOSED(b) (AT(b).unit != 0)
#endif
#define MAY_PROPOSE(b) (IS_VOTER && HAS_LAST(b) && IS_KEEPER(b) && MINE.promised == b + 1 && IS_PROMISED(b) && NEXT < SLOTS && !HAS_PROPOSED(b))
#ifdef NEW_PROPOSAL
#define IS_FREE(b) true
#else
#define IS_FREE(b) (ballot[b].voteSlot <= NEXT)
#endif

/* The keeper proposes a unit in a slot for which no promise contains a vote. */
inline propose(b, u, late) {
  d_step {
    MAY_PROPOSE(b) && IS_FREE(b) && IS_VALID(u, late) && IS_NEXT_UNIT(u) ->
    firstIsProposed = 1;
    AT(b).unit = u;
    AT(b).isLate = late;
    AT(b).isApplied = HOLDS(late);
    AT(b).plainWasKnown = majorityHadPlain;
    AT(b).votes = 0;
    print_proposal(b)
  }
}

/* Otherwise it proposes the vote with the highest slot and ballot again. */
inline propose_again(b) {
  d_step {
    MAY_PROPOSE(b) && ballot[b].voteSlot == NEXT + 1 ->
    AT(b).unit = LAST_VOTE(b).unit;
    AT(b).isLate = LAST_VOTE(b).isLate;
    AT(b).isApplied = LAST_VOTE(b).isApplied;
    AT(b).plainWasKnown = LAST_VOTE(b).plainWasKnown;
    AT(b).isBound = 1;
    print_proposal(b)
  }
}

inline print_proposal(b) {
  printf("member %d proposes in ballot %d, slot %d: unit %d, later than the plain write: %d, applied: %d, again: %d\n", _pid + 1,
         b + 1, NEXT + 1, AT(b).unit, AT(b).isLate, AT(b).isApplied, AT(b).isBound)
}

#define MAY_ANSWER(b) (IS_VOTER && (LIST_OF(b) & ME) != 0 && MINE.promised <= b + 1 && NEXT < SLOTS && AT(b).unit != 0)
#define EVALUATES_EQUALLY(b) (IS_VALID(AT(b).unit, AT(b).isLate) && HOLDS(AT(b).isLate) == AT(b).isApplied)
#ifdef BOUND_IS_EVALUATED
#define AGREES(b) EVALUATES_EQUALLY(b)
#else
#define AGREES(b) (AT(b).isBound || EVALUATES_EQUALLY(b))
#endif
#ifdef KEEPER_VOTES_FIRST
#define KEEPER_MAY_VOTE(b) true
#else
#define KEEPER_MAY_VOTE(b) IS_MAJORITY(LIST_OF(b), AT(b).votes | ME)
#endif

/* The keeper votes last: only if its vote makes a majority. */
inline vote(b) {
  d_step {
    MAY_ANSWER(b) && (AT(b).votes & ME) == 0 && (IS_KEEPER(b) -> KEEPER_MAY_VOTE(b) : AGREES(b)) ->
    WRITE_DECISIONS;
    MINE.promised = b + 1;
    MINE.voteSlot = NEXT + 1;
    MINE.voteBallot = b;
    AT(b).votes = AT(b).votes | ME;
    printf("member %d votes in ballot %d, slot %d\n", _pid + 1, b + 1, NEXT + 1);
    if
    :: IS_MAJORITY(LIST_OF(b), AT(b).votes) -> decide(b)
    :: else
    fi
  }
}

/* The votes of a majority make an entry. */
inline decide(b) {
  REQUIRE(!AT(b).plainWasKnown || (AT(b).isLate && !AT(b).isApplied),
          "violated: an outcome depends on each plain write that a majority had\n");
  if
  :: decided[NEXT].unit == 0 ->
    REQUIRE(WAS_UNTOUCHED || !AT(b).isApplied, "violated: of two units that exclude each other, one is applied\n");
    REQUIRE(!WAS_DECIDED(AT(b).unit), "violated: a unit is decided once\n");
    REQUIRE(!(isReportedNotApplied && AT(b).unit == 1), "violated: a unit that is reported as not applied is never applied\n");
    REQUIRE(AT(b).isLate || !isFinal, "violated: what is final has no new entry\n");
    decided[NEXT].unit = AT(b).unit;
    decided[NEXT].isLate = AT(b).isLate;
    decided[NEXT].isApplied = AT(b).isApplied
  :: else ->
    REQUIRE(decided[NEXT].unit == AT(b).unit && decided[NEXT].isApplied == AT(b).isApplied &&
              decided[NEXT].isLate == AT(b).isLate,
            "violated: a slot has one decision\n")
  fi;
  decided[NEXT].isInList2 = decided[NEXT].isInList2 | (LIST_1 != LIST_2 && IS_IN_LIST_2(b))
}

inline fold() {
  d_step {
    IS_UP && NEXT < SLOTS && decided[NEXT].unit != 0 ->
    MINE.folded++;
    printf("member %d has the decision of slot %d\n", _pid + 1, NEXT);
    check_effects()
  }
}

#ifdef GAP
/* A member receives the entries of decisions in any order. It takes part in the slot after the first ones that it has. */
inline receive_decision(s) {
  d_step {
    IS_UP && decided[s].unit != 0 && !HAS(s) ->
    MINE.has = MINE.has | (1 << s);
#ifdef COVERS_MISSING
    if
    :: NEXT <= s -> MINE.folded = s + 1
    :: else
    fi;
#else
    do
    :: NEXT < SLOTS && HAS(NEXT) -> MINE.folded++
    :: else -> break
    od;
#endif
    printf("member %d receives the decision of slot %d, and votes in slot %d next\n", _pid + 1, s + 1, NEXT + 1)
  }
}
#endif

#if BEGINS_WITH_GAP
bit hasBegun;
inline begin() {
  if
  :: d_step {
      _pid == 0 ->
      decided[0].unit = 1;
      decided[0].isApplied = 1;
      decided[1].unit = 3;
      ballot[0].keeper = 1;
      firstIsProposed = 1;
      i = 0;
      do
      :: i < 3 ->
        member[i].promised = 1;
        member[i].voteSlot = 2;
        member[i].folded = 2;
        member[i].has = 3;
        i++
      :: else -> break
      od;
      i = 0;
      hasBegun = 1
    }
  :: _pid != 0 && hasBegun
  fi
}
#endif

inline receive_plain() {
  d_step {
    IS_UP && !MINE.hasPlain ->
    MINE.hasPlain = 1;
    majorityHadPlain = majorityHadPlain || MAJORITY_HAS_PLAIN;
    printf("member %d receives the plain write\n", _pid + 1);
    check_effects()
  }
}

#ifdef FOLD_EVALUATES
#define HAS_EFFECT(s) (decided[s].isApplied && !(MINE.hasPlain && decided[s].isLate))
#else
#define HAS_EFFECT(s) (decided[s].isApplied)
#endif

inline check_effects() {
  REQUIRE(NEXT < 1 || HAS_EFFECT(0) == decided[0].isApplied, "violated: a decided unit keeps its effect\n");
#if SLOTS > 1
  REQUIRE(NEXT < 2 || HAS_EFFECT(1) == decided[1].isApplied, "violated: a decided unit keeps its effect\n");
#endif
  i = 0
}

#ifdef BY_CLOCK
#define IS_PAST_WINDOW true
#else
#define IS_PAST_WINDOW (NEXT > 0 && decided[NEXT - 1].isLate)
#endif

/* A member reports that unit 1 is not applied, and never will be: a decided date is past its window. */
inline report_not_applied() {
  d_step {
    IS_PAST_WINDOW && !IS_DECIDED(1) && !isReportedNotApplied ->
    isReportedNotApplied = 1;
    printf("member %d reports that unit 1 is not applied\n", _pid + 1)
  }
}

#ifdef CLOSES_WITH_VOTE
#define HAS_OPEN_VOTE false
#else
#define HAS_OPEN_VOTE (MINE.voteSlot > NEXT)
#endif

/* A member reports that it adds no entry with an early date any more. If all members have, the entries before it are final. */
inline close_early_dates() {
  d_step {
    IS_VOTER && !MINE.isClosed && !HAS_OPEN_VOTE ->
    WRITE_DECISIONS;
    MINE.isClosed = 1;
    isFinal = isFinal || SET_OF(IS_CLOSED) == EVERYONE;
    printf("member %d reports that it adds no early entry any more\n", _pid + 1)
  }
}

/* The promises that a keeper received are in memory only: after a restart it is no keeper any more. */
inline forget_ballots() {
  i = 0;
  do
  :: i < BALLOTS ->
    if
    :: IS_KEEPER(i) ->
      ballot[i].promises = 0; ballot[i].voteSlot = 0; ballot[i].voteBallot = 0;
#ifdef OPEN_VOTES
      ballot[i].last = 0;
#endif
    :: else
    fi;
    i++
  :: else -> break
  od;
  i = 0
}

inline restart() {
  d_step {
    calm == 0 && restarts > 0 ->
    restarts--;
#ifdef FORGET_VOTE
    MINE.voteSlot = 0;
    MINE.voteBallot = 0;
#endif
    printf("member %d restarts\n", _pid + 1);
    forget_ballots()
  }
}

/* Its last decisions were not on its disk yet. The votes for them were. */
inline restart_without_decisions() {
  d_step {
    calm == 0 && restarts > 0 && NEXT > MINE.stored ->
    restarts--;
    MINE.folded = MINE.stored;
    printf("member %d restarts, and has the decisions of %d slots\n", _pid + 1, NEXT);
    forget_ballots()
  }
}

inline lose_disk() {
  d_step {
    calm == 0 && losses > 0 ->
    losses--;
    MINE.promised = 0;
    MINE.voteSlot = 0;
    MINE.voteBallot = 0;
    MINE.folded = 0;
    WRITE_DECISIONS;
    MINE.hasPlain = 0;
    MINE.isClosed = 0;
#ifndef AMNESIC_VOTES
    MINE.isAmnesic = 1;
#endif
    printf("member %d loses its disk\n", _pid + 1);
    forget_ballots()
  }
}

/*
 * Progress: at any moment one member goes down and the faults end. One other member becomes the keeper, by the rules above.
 * When no step is left, all members that are up must have the decisions of all slots.
 */
inline go_calm(other) {
  d_step {
    calm == 0 && _pid != other ->
    calm = _pid + 1;
    down = other;
    printf("member %d is down, and member %d becomes the keeper\n", other + 1, _pid + 1)
  }
}

/* A member that does not agree sends the keeper what it does not have. The keeper starts a higher ballot. */
inline refuse(b) {
  d_step {
    calm > 0 && MAY_ANSWER(b) && ballot[b].keeper == calm && !isRefused && !AGREES(b) && MINE.hasPlain ->
    isRefused = 1;
    member[calm - 1].hasPlain = 1;
    printf("member %d refuses in ballot %d\n", _pid + 1, b + 1)
  }
}

/* Or it requests from the keeper what it does not have itself. */
inline catch_up(b) {
  d_step {
    calm > 0 && MAY_ANSWER(b) && ballot[b].keeper == calm && !AGREES(b) && !MINE.hasPlain && member[calm - 1].hasPlain ->
    MINE.hasPlain = 1;
    printf("member %d receives the plain write\n", _pid + 1)
  }
}

#define HAS_ALL(m) (down == m || member[m].folded == SLOTS)
#if MEMBERS == 3
#define ALL_HAVE_ALL (HAS_ALL(0) && HAS_ALL(1) && HAS_ALL(2))
#else
#define ALL_HAVE_ALL (HAS_ALL(0) && HAS_ALL(1) && HAS_ALL(2) && HAS_ALL(3))
#endif

#if BEGINS_WITH_GAP
#define EACH_PROPOSAL(b) :: propose(b, 2, 0)
#elif DATES == 2
#define EACH_PROPOSAL(b) :: propose(b, 1, 0) :: propose(b, 1, 1) :: propose(b, 2, 0) :: propose(b, 2, 1)
#else
#define EACH_PROPOSAL(b) :: propose(b, 1, 0) :: propose(b, 2, 0)
#endif
#if BALLOTS == 2
#define EACH_BALLOT(step) :: step(0) :: step(1)
#define EACH_BALLOT_PROPOSAL EACH_PROPOSAL(0) EACH_PROPOSAL(1)
#elif BALLOTS == 3
#define EACH_BALLOT(step) :: step(0) :: step(1) :: step(2)
#define EACH_BALLOT_PROPOSAL EACH_PROPOSAL(0) EACH_PROPOSAL(1) EACH_PROPOSAL(2)
#else
#define EACH_BALLOT(step) :: step(0) :: step(1) :: step(2) :: step(3)
#define EACH_BALLOT_PROPOSAL EACH_PROPOSAL(0) EACH_PROPOSAL(1) EACH_PROPOSAL(2) EACH_PROPOSAL(3)
#endif

active [MEMBERS] proctype steps() {
#if BEGINS_WITH_GAP
  begin();
#endif
#ifdef JOINS_WITH_ENTRIES
  MINE.isAmnesic = ((LIST_1 & ME) == 0);
#endif
end:
  do
  EACH_BALLOT(start)
  EACH_BALLOT(promise)
  EACH_BALLOT_PROPOSAL
  EACH_BALLOT(propose_again)
  EACH_BALLOT(vote)
#ifndef GAP
  :: fold()
#else
  :: receive_decision(0)
  :: receive_decision(1)
#endif
#if PLAIN > 0
  :: receive_plain()
#endif
#ifdef WINDOW
  :: report_not_applied()
#endif
#ifdef FINAL
  :: close_early_dates()
#endif
#if RESTARTS > 0
  :: restart()
  :: restart_without_decisions()
#endif
#if LOSSES > 0 || defined JOINS_WITH_ENTRIES
  EACH_BALLOT(recover)
#endif
#if LOSSES > 0
  :: lose_disk()
#endif
#ifdef PROGRESS
  :: go_calm(0)
  :: go_calm(1)
  :: go_calm(2)
#if MEMBERS > 3
  :: go_calm(3)
#endif
  EACH_BALLOT(refuse)
  EACH_BALLOT(catch_up)
#endif
  od
}

#ifdef PROGRESS
active proctype observer() {
end:
  timeout ->
  REQUIRE(ALL_HAVE_ALL, "violated: a majority decides all units\n")
}
#endif
