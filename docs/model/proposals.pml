/*
 * Proposals: three members decide up to two units with one vote, in consecutive slots. README.md explains the rules
 * and how to read this file. conditions.pml has the rules for one unit at a time, which are not repeated here: plain
 * writes, dates, restarts and lost disks.
 */

/* Sizes. Members, ballots and slots are numbered from 0 here, and from 1 in the traces. */
#define MEMBERS 3
#ifndef BALLOTS
#define BALLOTS 3
#endif
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef UNITS
#define UNITS 2
#endif
/*
 * With REPLACED, two members are replaced at any moment. What only they have received is lost, like their votes. The
 * new members have what the third one has. Ballots from this one on belong to the new list.
 */
#ifdef REPLACED
#define FIRST_OF_LIST_2 1
#else
#define FIRST_OF_LIST_2 BALLOTS
#endif
/* With PROGRESS, this number of ballots, the last ones, is reserved for the calm: see `go_calm`. */
#ifndef CALM
#define CALM 1
#endif

#define EVERYONE ((1 << MEMBERS) - 1)
#define ME (1 << _pid)
#define COUNT(set) (((set) & 1) + (((set) >> 1) & 1) + (((set) >> 2) & 1))
#define IS_MAJORITY(set) (2 * COUNT(set) > MEMBERS)

/* The entry of a decision: what is decided in a slot, and the slots that its proposal has. */
typedef Decision {
  unsigned unit : 2;           /* 0: none */
  bit isApplied;
  unsigned first : 2;          /* the first slot of its proposal, and the number of its slots */
  unsigned count : 2;
  bit isLost;                  /* no member that is up has it, or will receive it */
}

/* One or two units in consecutive slots. */
typedef Proposal {
  unsigned unit : 2;           /* 0: none */
  bit isApplied;
  unsigned unit2 : 2;          /* 0: it has one unit */
  bit isApplied2;
  bit isBound;                 /* the keeper found it in a promise: members do not evaluate it again */
  unsigned votes : 3;          /* the members that have voted for it */
#ifdef VOTES_FOR_PART
  unsigned votes2 : 3;         /* the members that have voted for the second unit only */
#endif
}

typedef Ballot {
  unsigned keeper : 2;         /* member + 1; 0: not started */
  unsigned promises : 3;       /* the promises that the keeper has, and the last open vote that they contain */
  unsigned voteFirst : 2;
  unsigned voteBallot : 2;
#ifdef PROGRESS
  bit isObjected;              /* a member objects to a unit of the proposal */
#endif
  Proposal at[SLOTS];          /* by the first slot */
}

typedef Member {
  unsigned promised : 2;       /* the highest promised ballot + 1 */
  unsigned voteFirst : 2;      /* its last vote: the first slot + 1, and the ballot */
  unsigned voteBallot : 2;
  unsigned has : 3;            /* the decided slots that it has, as a set: entries arrive in any order */
  unsigned next : 2;           /* the slot in which it takes part: it has the decisions of those before it */
}

Member member[MEMBERS];
Ballot ballot[BALLOTS];
Decision decided[SLOTS];       /* the entries that the votes of a majority make */
bit firstIsProposed;
bit hasReplaced;
unsigned kept : 2;             /* the member that is not replaced */
#ifdef PROGRESS
unsigned calm : 2;             /* from now on there are no faults, and this member (+ 1) becomes the keeper */
unsigned down : 2 = MEMBERS;   /* the member that is down from then on; MEMBERS: none is */
unsigned doubter : 2;          /* the member (+ 1) that does not agree with unit 2; 0: none */
unsigned head : 2 = 1;         /* the unit that is the first one to wait at the keeper */
bit isDoubted;                 /* the keeper knows an objection to unit 2 */
#define CALM_KEEPER calm
#define IS_UP (_pid != down)
#define ALL_ARE_UP (down == MEMBERS)
#define DOUBTS(u) (doubter == _pid + 1 && u == 2)
#else
#define CALM_KEEPER 0
#define IS_UP true
#define ALL_ARE_UP true
#define DOUBTS(u) false
#endif
byte i;

/* Stops the search if a rule does not hold. The text is the last line of the trace. */
#define REQUIRE(condition, text) if :: condition :: else -> printf(text); assert(false) fi

#define MINE member[_pid]
#define NEXT (MINE.next)
#define AT(b) ballot[b].at[NEXT]
#define LAST_VOTE(b) ballot[ballot[b].voteBallot].at[NEXT]
#define IS_KEEPER(b) (ballot[b].keeper == _pid + 1)
#define IS_OF_LIST(b) ((b >= FIRST_OF_LIST_2) == hasReplaced)

/* What a member has, and what follows from it. The condition of all units is that no unit before them was applied. */
#define M_HAS(m, s) ((member[m].has >> (s)) & 1)
#define HAS(s) M_HAS(_pid, s)
#if SLOTS == 2
#define ANY_SLOT(f, x) (f(0, x) || f(1, x))
#else
#define ANY_SLOT(f, x) (f(0, x) || f(1, x) || f(2, x))
#endif
#define HAS_APPLIED(s, x) (HAS(s) && decided[s].isApplied)
#define HAS_UNIT(s, u) (HAS(s) && decided[s].unit == u)
#define IS_UNTOUCHED (!ANY_SLOT(HAS_APPLIED, 0))
#define IS_DECIDED(u) (ANY_SLOT(HAS_UNIT, u))
/* For rules: what is decided in the other slots, unless it is lost. */
#define ELSE_APPLIED(s, x) (s != (x) && decided[s].isApplied && !decided[s].isLost)
#define ELSE_UNIT(s, x) (s != (x) && decided[s].unit == decided[x].unit && !decided[s].isLost)

/* The second unit is evaluated on the state after the first one. */
#ifdef EVALUATES_ALONE
#define HOLDS_2(isApplied1) IS_UNTOUCHED
#else
#define HOLDS_2(isApplied1) (IS_UNTOUCHED && !(isApplied1))
#endif
#ifdef UNIT_TWICE
#define IS_OTHER_UNIT(u, v) true
#else
#define IS_OTHER_UNIT(u, v) ((u) != (v))
#endif

/*
 * A member has decisions, but misses earlier ones, or further ones of their proposal: it begins no proposal, and votes
 * for none without evidence, until it has them.
 */
#define HAS_LATER (NEXT < SLOTS && (MINE.has >> NEXT) != 0)
#ifdef BEGINS_WITHIN
#define IS_INCOMPLETE false
#elif defined BEGINS_BEFORE
#define IS_INCOMPLETE HAS(NEXT)
#else
#define IS_INCOMPLETE HAS_LATER
#endif

/* Ballots. A member with a unit that is not decided becomes a candidate. (The lowest ballot is member 1's.) */
#ifdef PROGRESS
#define MAY_START(b) \
  (b < BALLOTS - CALM -> calm == 0 : calm == _pid + 1 && (b == BALLOTS - CALM || ballot[(b > 0 -> b - 1 : 0)].isObjected))
#else
#define MAY_START(b) true
#endif

inline start(b) {
  d_step {
    IS_UP && IS_OF_LIST(b) && ballot[b].keeper == 0 && MINE.promised <= b && MAY_START(b) &&
    (_pid <= b || CALM_KEEPER > 0 || hasReplaced) ->
    ballot[b].keeper = _pid + 1;
    printf("member %d starts ballot %d\n", _pid + 1, b + 1);
    make_promise(b)
  }
}

/* Every ballot of the new list needs the promise of the member that was in the first one. */
#define IS_PROMISED(b) (IS_MAJORITY(ballot[b].promises) && (!hasReplaced || ((ballot[b].promises >> kept) & 1)))

/* A promise counts when the keeper has the decisions that the member has. */
#define IS_USABLE(b) (NEXT <= member[(ballot[b].keeper > 0 -> ballot[b].keeper - 1 : 0)].next)
inline promise(b) {
  d_step {
    IS_UP && IS_OF_LIST(b) && ballot[b].keeper != 0 && !IS_PROMISED(b) && IS_USABLE(b) &&
    MINE.promised <= b + 1 && (ballot[b].promises & ME) == 0 ->
    make_promise(b);
    printf("member %d promises ballot %d\n", _pid + 1, b + 1)
  }
}

inline promise_ahead(b) {
  d_step {
    IS_UP && IS_OF_LIST(b) && ballot[b].keeper != 0 && !IS_PROMISED(b) && !IS_USABLE(b) && MINE.promised <= b ->
    MINE.promised = b + 1;
    printf("member %d promises ballot %d, and has more decisions than its keeper\n", _pid + 1, b + 1)
  }
}

/* A vote is open until all decisions of its proposal are here. A promise contains the open vote as a whole. */
#define LAST_COUNT (ballot[MINE.voteBallot].at[MINE.voteFirst - 1].unit2 != 0 -> 2 : 1)
#ifdef OPEN_UNTIL_FIRST
#define IS_OPEN (MINE.voteFirst > NEXT && !HAS(NEXT))
#elif defined REST_AGAIN
#define IS_OPEN (MINE.voteFirst > 0 && MINE.voteFirst - 1 + LAST_COUNT > NEXT)
#else
#define IS_OPEN (MINE.voteFirst > NEXT)
#endif

inline make_promise(b) {
  MINE.promised = b + 1;
  ballot[b].promises = ballot[b].promises | ME;
  if
  :: IS_OPEN && (MINE.voteFirst > ballot[b].voteFirst ||
     (MINE.voteFirst == ballot[b].voteFirst && MINE.voteBallot >= ballot[b].voteBallot)) ->
    ballot[b].voteFirst = MINE.voteFirst;
    ballot[b].voteBallot = MINE.voteBallot
  :: else
  fi
}

#ifdef SECOND_ATTEMPT
#define HAS_PROPOSED(b) false
#else
#define HAS_PROPOSED(b) (AT(b).unit != 0)
#endif
#define MAY_PROPOSE(b) (IS_UP && IS_OF_LIST(b) && NEXT < SLOTS && IS_KEEPER(b) && \
  MINE.promised == b + 1 && IS_PROMISED(b) && !HAS_PROPOSED(b))
#ifdef REST_AGAIN
#define VOTE_HAS_REST(b) \
  (ballot[b].voteFirst == NEXT && NEXT > 0 && ballot[ballot[b].voteBallot].at[(NEXT > 0 -> NEXT - 1 : 0)].unit2 != 0)
#else
#define VOTE_HAS_REST(b) false
#endif
#define IS_FREE(b) (ballot[b].voteFirst <= NEXT && !VOTE_HAS_REST(b))
/* The units are equal until one is proposed: call that one unit 1, and the next one unit 2. */
#define IS_IN_ORDER(u, v) (CALM_KEEPER > 0 || firstIsProposed || (u == 1 && v <= 2))

/*
 * In the calm, the keeper proposes the units that wait, in their order. A doubted one is proposed alone when it is the
 * first, so that it prevents no other one.
 */
#ifdef DOUBTED_TOGETHER
#define IS_ALONE false
#else
#define IS_ALONE isDoubted
#endif
#ifdef DOUBTED_NEVER
#define MAY_WAIT(u) (!(isDoubted && u == 2))
#else
#define MAY_WAIT(u) true
#endif
#define WAITS(u) (!IS_DECIDED(u) && !DOUBTS(u) && MAY_WAIT(u))
#define BOTH_WAIT (WAITS(1) && WAITS(2))
#define HAS_ROOM (NEXT + 1 < SLOTS)
#ifdef PROGRESS
#define IS_CHOSEN(u, v) (calm == 0 || (WAITS(u) && (BOTH_WAIT -> u == head : true) && \
  (v != 0) == (BOTH_WAIT && HAS_ROOM && !IS_ALONE)))
#else
#define IS_CHOSEN(u, v) true
#endif

/* The keeper proposes units in slots for which no promise contains a vote. */
inline propose(b, u, v) {
  d_step {
    MAY_PROPOSE(b) && IS_FREE(b) && !IS_INCOMPLETE && (v == 0 || HAS_ROOM) && IS_OTHER_UNIT(u, v) && !IS_DECIDED(u) &&
    !IS_DECIDED(v) && IS_IN_ORDER(u, v) && IS_CHOSEN(u, v) ->
    firstIsProposed = 1;
    AT(b).unit = u;
    AT(b).isApplied = IS_UNTOUCHED;
    AT(b).unit2 = v;
    AT(b).isApplied2 = v != 0 && HOLDS_2(AT(b).isApplied);
    AT(b).votes = 0;
    print_proposal(b)
  }
}

/* Otherwise it proposes the vote with the highest slot and ballot again, as a whole. */
inline propose_again(b) {
  d_step {
    MAY_PROPOSE(b) && ballot[b].voteFirst == NEXT + 1 ->
    AT(b).unit = LAST_VOTE(b).unit;
    AT(b).isApplied = LAST_VOTE(b).isApplied;
    AT(b).unit2 = LAST_VOTE(b).unit2;
    AT(b).isApplied2 = LAST_VOTE(b).isApplied2;
    AT(b).isBound = 1;
    print_proposal(b)
  }
}

#ifdef REST_AGAIN
#define REST(b) ballot[ballot[b].voteBallot].at[NEXT - 1]
inline propose_rest(b) {
  d_step {
    MAY_PROPOSE(b) && VOTE_HAS_REST(b) ->
    AT(b).unit = REST(b).unit2;
    AT(b).isApplied = REST(b).isApplied2;
    AT(b).isBound = 1;
    print_proposal(b)
  }
}
#endif

inline print_proposal(b) {
  printf("member %d proposes in ballot %d, slot %d: unit %d, applied: %d", _pid + 1, b + 1, NEXT + 1, AT(b).unit, AT(b).isApplied);
  if
  :: AT(b).unit2 != 0 -> printf("; slot %d: unit %d, applied: %d", NEXT + 2, AT(b).unit2, AT(b).isApplied2)
  :: else
  fi;
  printf("; again: %d\n", AT(b).isBound)
}

#define MAY_ANSWER(b) (IS_UP && IS_OF_LIST(b) && MINE.promised <= b + 1 && NEXT < SLOTS && AT(b).unit != 0)
#define AGREES_1(b) (!IS_DECIDED(AT(b).unit) && !DOUBTS(AT(b).unit) && AT(b).isApplied == IS_UNTOUCHED)
#define AGREES_2(b) (AT(b).unit2 == 0 || (!IS_DECIDED(AT(b).unit2) && !DOUBTS(AT(b).unit2) && \
  IS_OTHER_UNIT(AT(b).unit, AT(b).unit2) && AT(b).isApplied2 == HOLDS_2(AT(b).isApplied)))
/* A member that has some decisions of the proposal votes for it again. */
#ifdef BOUND_WAITS
#define AGREES(b) (!HAS(NEXT) && (AT(b).isBound || (AGREES_1(b) && AGREES_2(b))))
#else
#define AGREES(b) (AT(b).isBound || (!IS_INCOMPLETE && AGREES_1(b) && AGREES_2(b)))
#endif

/* One vote is for all units of a proposal. The keeper votes last: only if its vote makes a majority. */
inline vote(b) {
  d_step {
    MAY_ANSWER(b) && (AT(b).votes & ME) == 0 && (IS_KEEPER(b) -> IS_MAJORITY(AT(b).votes | ME) : AGREES(b)) ->
    MINE.promised = b + 1;
    MINE.voteFirst = NEXT + 1;
    MINE.voteBallot = b;
    AT(b).votes = AT(b).votes | ME;
    printf("member %d votes in ballot %d, slot %d\n", _pid + 1, b + 1, NEXT + 1);
    if
    :: IS_MAJORITY(AT(b).votes) ->
      decide(NEXT, AT(b).unit, AT(b).isApplied, NEXT, (AT(b).unit2 != 0 -> 2 : 1));
      if
      :: AT(b).unit2 != 0 -> decide(NEXT + 1, AT(b).unit2, AT(b).isApplied2, NEXT, 2)
      :: else
      fi
    :: else
    fi
  }
}

#ifdef VOTES_FOR_PART
/* A member that does not agree with the first unit votes for the second one. */
inline vote_for_second(b) {
  d_step {
    MAY_ANSWER(b) && ((AT(b).votes | AT(b).votes2) & ME) == 0 && AT(b).unit2 != 0 && !IS_KEEPER(b) && AGREES_2(b) ->
    MINE.promised = b + 1;
    AT(b).votes2 = AT(b).votes2 | ME;
    printf("member %d votes in ballot %d, slot %d only\n", _pid + 1, b + 1, NEXT + 2);
    if
    :: IS_MAJORITY(AT(b).votes | AT(b).votes2) -> decide(NEXT + 1, AT(b).unit2, AT(b).isApplied2, NEXT, 2)
    :: else
    fi
  }
}
#endif

/* Nothing is known of a decision that is lost together with all of its proposal: its slots may be decided again. */
#define MATE(s) (decided[s].count == 2 -> 2 * decided[s].first + 1 - (s) : (s))
#define IS_FORGOTTEN(s) (decided[s].isLost && decided[MATE(s)].isLost)

/* If decisions are lost, the next ones do not follow from those that are left. */
#ifdef REPLACED
#define FOLLOWS_APPLIED(s) true
#else
#define FOLLOWS_APPLIED(s) (((s) > 0 && decided[0].isApplied) || ((s) > 1 && decided[1].isApplied))
#endif

/* The votes of a majority make an entry for each unit. */
inline decide(s, theUnit, outcome, from, number) {
  if
  :: decided[s].unit == 0 || IS_FORGOTTEN(s) ->
    if
    :: decided[s].unit != 0 -> decided[MATE(s)].unit = 0; decided[MATE(s)].isApplied = 0
    :: else
    fi;
    decided[s].unit = theUnit;
    decided[s].isApplied = outcome;
    decided[s].first = from;
    decided[s].count = number;
    decided[s].isLost = 0;
    REQUIRE(!(outcome && ANY_SLOT(ELSE_APPLIED, s)), "violated: of two units that exclude each other, one is applied\n");
    REQUIRE(!ANY_SLOT(ELSE_UNIT, s), "violated: a unit is decided once\n");
    REQUIRE(outcome || FOLLOWS_APPLIED(s), "violated: a unit that is not applied follows one that is\n")
  :: else ->
    REQUIRE(decided[s].unit == theUnit && decided[s].isApplied == outcome && decided[s].first == from && decided[s].count == number,
            "violated: a slot has one decision\n");
    decided[s].isLost = 0
  fi
}

/* A member receives the entries of decisions in any order. */
inline receive(s) {
  d_step {
    IS_UP && decided[s].unit != 0 && !decided[s].isLost && !HAS(s) ->
    MINE.has = MINE.has | (1 << s);
    advance();
    printf("member %d receives the decision of slot %d, and takes part in slot %d next\n", _pid + 1, s + 1, NEXT + 1)
  }
}

/* It takes part in the slot after the first proposals of which it has all decisions. */
#define END_OF(s) (decided[s].first + decided[s].count)
inline advance() {
  do
#if defined COUNTS_ALONE || defined REST_AGAIN
  :: NEXT < SLOTS && HAS(NEXT) -> MINE.next++
#else
  :: NEXT < SLOTS && HAS(NEXT) && HAS(END_OF(NEXT) - 1) -> MINE.next = END_OF(NEXT)
#endif
  :: else -> break
  od
}

/*
 * A member gives up decisions that no member has: all members have the same entries, and none is on its way. It then
 * takes part in the slot of the next decision that it has, or in that after a proposal of which it has some.
 */
#define ARRIVES(s, x) (decided[s].unit != 0 && !decided[s].isLost && \
  !(M_HAS(0, s) && M_HAS(1, s) && M_HAS(2, s)))
#ifdef GIVES_UP_EARLY
#define IS_LEVEL true
#else
#define IS_LEVEL (ALL_ARE_UP && member[0].has == member[1].has && member[0].has == member[2].has && !ANY_SLOT(ARRIVES, 0))
#endif
/* Nor is the member's own vote on its way, by which the decision may be made. */
#define MAY_VOTE(m, b) (member[m].promised <= b + 1 && member[m].next == NEXT && ((AT(b).votes >> m) & 1) == 0)
#define MAY_COMPLETE(b) (COUNT(AT(b).votes) + MAY_VOTE(0, b) + MAY_VOTE(1, b) + MAY_VOTE(2, b) > MEMBERS / 2)
#ifdef GIVES_UP_VOTE
#define IS_PENDING false
#else
#define IS_PENDING (IS_OPEN && IS_OF_LIST(MINE.voteBallot) && MAY_COMPLETE(MINE.voteBallot))
#endif
inline give_up() {
  d_step {
    IS_UP && HAS_LATER && IS_LEVEL && !IS_PENDING ->
    i = NEXT + 1;
    do
    :: i < SLOTS && !(HAS(i) && !HAS(i - 1)) -> i++
    :: else -> break
    od;
    if
    :: i < SLOTS -> MINE.next = i
    :: else ->
      i = SLOTS - 1;
      do
      :: !HAS(i) -> i--
      :: else -> break
      od;
#ifdef NEXT_WITHIN
      MINE.next = i + 1
#else
      MINE.next = END_OF(i)
#endif
    fi;
    i = 0;
    advance();
    printf("member %d gives up decisions, and takes part in slot %d next\n", _pid + 1, NEXT + 1)
  }
}

/* What only the other two have received is lost. */
inline replace(m) {
  d_step {
    !hasReplaced && CALM_KEEPER == 0 ->
    hasReplaced = 1;
    kept = m;
    i = 0;
    do
    :: i < SLOTS ->
      if
      :: decided[i].unit != 0 && !M_HAS(m, i) -> decided[i].isLost = 1
      :: else
      fi;
      i++
    :: else -> break
    od;
    i = 0;
    do
    :: i < MEMBERS ->
      if
      :: i != m ->
        member[i].promised = 0;
        member[i].voteFirst = 0;
        member[i].voteBallot = 0;
        member[i].has = member[m].has;
        member[i].next = member[m].next
      :: else
      fi;
      i++
    :: else -> break
    od;
    i = 0;
    printf("two members are replaced, and member %d is not\n", m + 1)
  }
}

#ifdef PROGRESS
/*
 * Progress: at any moment one member goes down, or none, and the faults end. With LOSSY, what no other member has
 * received does not arrive. One other member becomes the keeper, by the rules above. With DOUBT, one does not agree with
 * unit 2.
 */
#define OTHERS_HAVE(s, other) ((other != 0 && M_HAS(0, s)) || (other != 1 && M_HAS(1, s)) || (other != 2 && M_HAS(2, s)))
inline go_calm(other, first, doubting) {
  d_step {
    calm == 0 && _pid != other && (hasReplaced || FIRST_OF_LIST_2 == BALLOTS) ->
    calm = _pid + 1;
    down = other;
    head = first;
    doubter = doubting;
#ifdef LOSSY
    i = 0;
    do
    :: i < SLOTS ->
      if
      :: decided[i].unit != 0 && !OTHERS_HAVE(i, other) -> decided[i].isLost = 1
      :: else
      fi;
      i++
    :: else -> break
    od;
    i = 0;
#endif
    if
    :: other < MEMBERS -> printf("member %d is down, and ", other + 1)
    :: else
    fi;
    printf("member %d becomes the keeper", _pid + 1);
    if
    :: doubting > 0 -> printf("; unit %d waits first, and member %d does not agree with unit 2", first, doubting)
    :: else
    fi;
    printf("\n")
  }
}

/* A member that does not agree with a unit names it. With AGREES_LATER, it agrees from then on. */
inline object(b) {
  d_step {
    calm > 0 && MAY_ANSWER(b) && ballot[b].keeper == calm && !ballot[b].isObjected && !AT(b).isBound &&
    (DOUBTS(AT(b).unit) || DOUBTS(AT(b).unit2)) && (AT(b).votes & ME) == 0 ->
    ballot[b].isObjected = 1;
#ifndef OBJECTS_TO_ALL
    isDoubted = 1;
#ifndef DOUBTED_FIRST
    head = 1;
#endif
#endif
#ifdef AGREES_LATER
    doubter = 0;
#endif
    printf("member %d objects to unit 2 in ballot %d\n", _pid + 1, b + 1)
  }
}

#define KNOWS(m, s, u) (M_HAS(m, s) && decided[s].unit == u)
#define KNOWS_0(s, u) KNOWS(0, s, u)
#define KNOWS_1(s, u) KNOWS(1, s, u)
#define KNOWS_2(s, u) KNOWS(2, s, u)
#define ALL_KNOW(u) ((down == 0 || ANY_SLOT(KNOWS_0, u)) && (down == 1 || ANY_SLOT(KNOWS_1, u)) && (down == 2 || ANY_SLOT(KNOWS_2, u)))
/* Whether a majority agrees with unit 2, with the keeper. */
#define IS_AGREED (doubter == 0 || doubter == down + 1 || (down == MEMBERS && doubter != calm))
#endif

#if UNITS == 2
#define EACH_PAIR(b) :: propose(b, 1, 2) :: propose(b, 2, 1)
#define EACH_UNIT(b) :: propose(b, 1, 0) :: propose(b, 2, 0)
#else
#define EACH_PAIR(b) :: propose(b, 1, 2) :: propose(b, 2, 1) :: propose(b, 1, 3) :: propose(b, 3, 1) :: propose(b, 2, 3) :: propose(b, 3, 2)
#define EACH_UNIT(b) :: propose(b, 1, 0) :: propose(b, 2, 0) :: propose(b, 3, 0)
#endif
#if BALLOTS == 2
#define EACH_BALLOT(step) :: step(0) :: step(1)
#define EACH_PROPOSAL EACH_UNIT(0) EACH_UNIT(1) EACH_PAIR(0) EACH_PAIR(1)
#else
#define EACH_BALLOT(step) :: step(0) :: step(1) :: step(2)
#define EACH_PROPOSAL EACH_UNIT(0) EACH_UNIT(1) EACH_UNIT(2) EACH_PAIR(0) EACH_PAIR(1) EACH_PAIR(2)
#endif

active [MEMBERS] proctype steps() {
end:
  do
  EACH_BALLOT(start)
  EACH_BALLOT(promise)
  EACH_BALLOT(promise_ahead)
  EACH_PROPOSAL
#ifdef UNIT_TWICE
  :: propose(0, 1, 1)
#endif
  EACH_BALLOT(propose_again)
#ifdef REST_AGAIN
  EACH_BALLOT(propose_rest)
#endif
  EACH_BALLOT(vote)
#ifdef VOTES_FOR_PART
  EACH_BALLOT(vote_for_second)
#endif
  :: receive(0)
  :: receive(1)
#if SLOTS > 2
  :: receive(2)
#endif
#ifndef NEVER_GIVES_UP
  :: give_up()
#endif
#ifdef REPLACED
  :: replace(0)
  :: replace(2)
#endif
#ifdef PROGRESS
#ifdef DOUBT
#define EACH_DOUBTER(other, first) :: go_calm(other, first, 1) :: go_calm(other, first, 2) :: go_calm(other, first, 3)
#define EACH_DOWN(first) EACH_DOUBTER(0, first) EACH_DOUBTER(1, first) EACH_DOUBTER(2, first) EACH_DOUBTER(3, first)
  EACH_DOWN(1)
  EACH_DOWN(2)
#elif defined REPLACED
  :: go_calm(3, 1, 0)
#else
  :: go_calm(0, 1, 0)
  :: go_calm(1, 1, 0)
  :: go_calm(2, 1, 0)
#endif
  EACH_BALLOT(object)
#endif
  od
}

#ifdef PROGRESS
/* When no step is left, all members that are up must have the decisions. */
active proctype observer() {
end:
  timeout ->
#ifdef DOUBT
  REQUIRE(ALL_KNOW(1), "violated: a doubted unit stops no other one\n");
#endif
  REQUIRE(ALL_KNOW(1) && (!IS_AGREED || ALL_KNOW(2)), "violated: a majority decides all units\n")
}
#endif
