/*
 * Conditions: the members of a list decide units with conditions, one after the other, in slots. README.md explains the
 * rules and the abstractions.
 *
 * A message is a fact that is never taken back: a member may act on it at any time, any number of times, or never.
 * Loss, delay, reordering and repetition need no steps of their own.
 */
#ifndef MEMBERS
#define MEMBERS 3
#endif
#ifndef BALLOTS
#define BALLOTS 3
#endif
#ifndef SLOTS
#define SLOTS 2
#endif
/* Whether there is a plain write of the key. */
#ifndef PLAIN
#define PLAIN 1
#endif
/* The number of restarts with the disk and without it. */
#ifndef RESTARTS
#define RESTARTS 0
#endif
#ifndef LOSSES
#define LOSSES 0
#endif

#define COUNT(set) (((set) & 1) + (((set) >> 1) & 1) + (((set) >> 2) & 1) + (((set) >> 3) & 1))
#define IS_MAJORITY(set) (COUNT(set) > MEMBERS / 2)
#define EVERYONE ((1 << MEMBERS) - 1)
#define ME (1 << _pid)

typedef Slot {
  /* The proposed decision. */
  unsigned unit : 2;           /* 0: none */
  bit isAfterPlain;            /* its date is above that of the plain write */
  bit isApplied;               /* its outcome */
  bit isBound;                 /* the keeper found it in a promise: members do not evaluate it again */
  bit plainWasKnown;           /* for a check: a majority had the plain write when it was proposed first */
  /* The members that sent these messages. */
  unsigned agrees : 4;
  unsigned votes : 4;
}

typedef Ballot {
  unsigned keeper : 3;         /* member + 1; 0: not started */
  unsigned promises : 4;       /* the promises that the keeper has, and the last vote that they contain */
  unsigned voteSlot : 2;
  unsigned voteBallot : 3;
  Slot slot[SLOTS];
}

typedef Member {
  unsigned promised : 3;       /* on the disk before it is sent */
  unsigned voteSlot : 2;       /* so is the last vote: slot + 1 */
  unsigned voteBallot : 3;
  unsigned folded : 2;         /* the number of decided slots that it has */
  bit hasPlain;
  bit isAmnesic;               /* it lost its disk, and does not promise, agree or vote yet */
}

/* For checks, and for what follows from entries that a member has: the first decision of a slot with a majority of votes. */
typedef Decision {
  unsigned unit : 2;
  bit isAfterPlain;
  bit isApplied;
}

Member member[MEMBERS];
Ballot ballot[BALLOTS];
Decision decided[SLOTS];
/* Without loss of generality the first proposed unit is the first one. */
#define FIRST_UNIT 1
bit firstIsProposed;
unsigned restarts : 2 = RESTARTS;
unsigned losses : 2 = LOSSES;
byte i;

/* Stops the search if a rule does not hold. The text is the last line of the trace. */
#define REQUIRE(condition, text) if :: condition :: else -> printf(text); assert(false) fi

#define MINE member[_pid]
#define NEXT (MINE.folded)
#define IS_KEEPER(b) (ballot[b].keeper == _pid + 1)
#define AT(b) ballot[b].slot[NEXT]
#define VOTED(b) ballot[ballot[b].voteBallot].slot[NEXT]

/* Evaluates by what the member has: the condition of each unit is that no other write has changed the key. */
#define HOLDS(isLater) (IS_UNTOUCHED && !(MINE.hasPlain && isLater))
#define IS_UNTOUCHED (NEXT == 0 || (!decided[0].isApplied && (NEXT == 1 || !decided[1].isApplied)))
#define IS_DECIDED(u) (NEXT > 0 && (decided[0].unit == u || (NEXT > 1 && decided[1].unit == u)))
/* Whether the member has a write with a later date. */
#ifdef BELOW_KNOWN_WRITE
#define HAS_LATER(isLater) (NEXT > 0 && decided[NEXT - 1].isAfterPlain && !isLater)
#else
#define HAS_LATER(isLater) ((MINE.hasPlain || (NEXT > 0 && decided[NEXT - 1].isAfterPlain)) && !isLater)
#endif
#define PLAIN_IS_KNOWN IS_MAJORITY(member[0].hasPlain + member[1].hasPlain * 2 + member[2].hasPlain * 4)

inline start(b) {
  d_step {
    ballot[b].keeper == 0 && MINE.promised <= b && _pid <= b ->
    ballot[b].keeper = _pid + 1;
    printf("member %d starts ballot %d\n", _pid + 1, b + 1);
    if
    :: MINE.isAmnesic
    :: else -> make_promise(b)
    fi
  }
}

/* A keeper needs the promises of a majority, or of all other members if it lost its disk. */
#define NEEDS_PROMISE(b) (ballot[b].keeper != 0 && (member[ballot[b].keeper - 1].isAmnesic || !IS_MAJORITY(ballot[b].promises)))

inline promise(b) {
  d_step {
    NEEDS_PROMISE(b) && MINE.promised <= b && !MINE.isAmnesic ->
    make_promise(b);
    printf("member %d promises ballot %d\n", _pid + 1, b + 1)
  }
}

inline make_promise(b) {
  MINE.promised = b + 1;
  ballot[b].promises = ballot[b].promises | ME;
  if
  :: MINE.voteSlot > ballot[b].voteSlot ||
     (MINE.voteSlot == ballot[b].voteSlot && MINE.voteBallot > ballot[b].voteBallot) ->
    ballot[b].voteSlot = MINE.voteSlot;
    ballot[b].voteBallot = MINE.voteBallot
  :: else
  fi
}

/* A member that lost its disk votes again when all other members have promised its ballot. */
inline recover(b) {
  d_step {
    IS_KEEPER(b) && MINE.isAmnesic && (ballot[b].promises | ME) == EVERYONE ->
    MINE.isAmnesic = 0;
    MINE.promised = b + 1;
    MINE.voteSlot = ballot[b].voteSlot;
    MINE.voteBallot = ballot[b].voteBallot;
    printf("member %d votes again, from ballot %d on\n", _pid + 1, b + 1)
  }
}

#define MAY_PROPOSE(b) (IS_KEEPER(b) && !MINE.isAmnesic && MINE.promised <= b + 1 && IS_MAJORITY(ballot[b].promises) && NEXT < SLOTS && AT(b).unit == 0)
#ifdef NEW_PROPOSAL
#define IS_FREE(b) true
#else
#define IS_FREE(b) (ballot[b].voteSlot <= NEXT)
#endif

inline print_proposal(b) {
  printf("member %d proposes in ballot %d, slot %d: unit %d, later than the plain write: %d, applied: %d, again: %d\n", _pid + 1,
         b + 1, NEXT + 1, AT(b).unit, AT(b).isAfterPlain, AT(b).isApplied, AT(b).isBound)
}

inline propose(b, u, isLater) {
  d_step {
    MAY_PROPOSE(b) && IS_FREE(b) && !IS_DECIDED(u) && (u == FIRST_UNIT || firstIsProposed) && !HAS_LATER(isLater) ->
    AT(b).unit = u;
    firstIsProposed = 1;
    AT(b).isAfterPlain = isLater;
    AT(b).isApplied = HOLDS(isLater);
    AT(b).plainWasKnown = PLAIN_IS_KNOWN;
    AT(b).agrees = ME;
    print_proposal(b)
  }
}

/* The keeper proposes the last vote of the promises again. */
inline propose_again(b) {
  d_step {
    MAY_PROPOSE(b) && ballot[b].voteSlot == NEXT + 1 ->
    AT(b).unit = VOTED(b).unit;
    AT(b).isAfterPlain = VOTED(b).isAfterPlain;
    AT(b).isApplied = VOTED(b).isApplied;
    AT(b).plainWasKnown = VOTED(b).plainWasKnown;
    AT(b).isBound = 1;
    AT(b).agrees = ME;
    print_proposal(b)
  }
}

#define MAY_ANSWER(b) (!MINE.isAmnesic && MINE.promised <= b + 1 && NEXT < SLOTS && AT(b).unit != 0)
#define AGREES(b) ((AT(b).agrees & ME) != 0 || AT(b).isBound || EVALUATES_EQUALLY(b))
#define EVALUATES_EQUALLY(b) (!IS_DECIDED(AT(b).unit) && !HAS_LATER(AT(b).isAfterPlain) && HOLDS(AT(b).isAfterPlain) == AT(b).isApplied)

/* With three members the keeper's agreement and one more are a majority: the member then votes in the same step. */
inline agree(b) {
  d_step {
    MAY_ANSWER(b) && (AT(b).agrees & ME) == 0 && AGREES(b) && !IS_MAJORITY(AT(b).agrees | ME) ->
    AT(b).agrees = AT(b).agrees | ME;
    printf("member %d agrees in ballot %d, slot %d\n", _pid + 1, b + 1, NEXT + 1)
  }
}

#ifdef KEEPER_VOTES_FIRST
#define IS_AGREED(b) (IS_KEEPER(b) || IS_MAJORITY(AT(b).agrees | ME))
#else
#define IS_AGREED(b) IS_MAJORITY(AT(b).agrees | ME)
#endif

inline vote(b) {
  d_step {
    MAY_ANSWER(b) && (AT(b).votes & ME) == 0 && AGREES(b) && IS_AGREED(b) ->
    MINE.promised = b + 1;
    MINE.voteSlot = NEXT + 1;
    MINE.voteBallot = b;
    AT(b).agrees = AT(b).agrees | ME;
    AT(b).votes = AT(b).votes | ME;
    printf("member %d votes in ballot %d, slot %d\n", _pid + 1, b + 1, NEXT + 1);
    if
    :: IS_MAJORITY(AT(b).votes) -> decide(b)
    :: else
    fi
  }
}

/* A majority has voted. */
inline decide(b) {
  REQUIRE(!AT(b).plainWasKnown || (AT(b).isAfterPlain && !AT(b).isApplied),
          "violated: an outcome depends on each plain write that a majority had\n");
  if
  :: decided[NEXT].unit == 0 ->
    REQUIRE(IS_UNTOUCHED || !AT(b).isApplied, "violated: of two units that exclude each other, one is applied\n");
    REQUIRE(!IS_DECIDED(AT(b).unit), "violated: a unit is decided once\n");
    decided[NEXT].unit = AT(b).unit;
    decided[NEXT].isAfterPlain = AT(b).isAfterPlain;
    decided[NEXT].isApplied = AT(b).isApplied
  :: else ->
    REQUIRE(decided[NEXT].unit == AT(b).unit && decided[NEXT].isApplied == AT(b).isApplied &&
              decided[NEXT].isAfterPlain == AT(b).isAfterPlain,
            "violated: a slot has one decision\n")
  fi
}

inline fold() {
  d_step {
    NEXT < SLOTS && decided[NEXT].unit != 0 -> MINE.folded++;
    printf("member %d has the decision of slot %d\n", _pid + 1, NEXT);
    check_effects()
  }
}

inline receive_plain() {
  d_step {
    PLAIN && !MINE.hasPlain -> MINE.hasPlain = 1;
    printf("member %d receives the plain write\n", _pid + 1);
    check_effects()
  }
}

#ifdef FOLD_EVALUATES
#define HAS_EFFECT(s) (decided[s].isApplied && !(MINE.hasPlain && decided[s].isAfterPlain))
#else
#define HAS_EFFECT(s) (decided[s].isApplied)
#endif

/* A decided unit has an effect at each member that has it, if and only if its outcome is "applied". */
inline check_effects() {
  REQUIRE(NEXT < 1 || HAS_EFFECT(0) == decided[0].isApplied, "violated: a decided unit keeps its effect\n");
#if SLOTS > 1
  REQUIRE(NEXT < 2 || HAS_EFFECT(1) == decided[1].isApplied, "violated: a decided unit keeps its effect\n");
#endif
  i = 0
}

/* The promises that a keeper received are in memory only: a member that restarts is no keeper any more. */
inline forget_ballots() {
  i = 0;
  do
  :: i < BALLOTS ->
    if
    :: IS_KEEPER(i) -> ballot[i].promises = 0; ballot[i].voteSlot = 0; ballot[i].voteBallot = 0
    :: else
    fi;
    i++
  :: else -> break
  od;
  i = 0
}

inline restart() {
  d_step {
    restarts > 0 -> restarts--;
    printf("member %d restarts\n", _pid + 1);
#ifdef FORGET_VOTE
    MINE.voteSlot = 0;
    MINE.voteBallot = 0;
#endif
    forget_ballots()
  }
}

inline lose_disk() {
  d_step {
    losses > 0 -> losses--;
    printf("member %d loses its disk\n", _pid + 1);
    MINE.promised = 0;
    MINE.voteSlot = 0;
    MINE.voteBallot = 0;
    MINE.folded = 0;
    MINE.hasPlain = 0;
#ifndef AMNESIC_VOTES
    MINE.isAmnesic = 1;
#endif
    forget_ballots()
  }
}

#define EACH_PROPOSAL(b) :: propose(b, 1, 0) :: propose(b, 1, 1) :: propose(b, 2, 0) :: propose(b, 2, 1)
#if BALLOTS == 2
#define EACH_BALLOT(step) :: step(0) :: step(1)
#define EACH EACH_PROPOSAL(0) EACH_PROPOSAL(1)
#elif BALLOTS == 3
#define EACH_BALLOT(step) :: step(0) :: step(1) :: step(2)
#define EACH EACH_PROPOSAL(0) EACH_PROPOSAL(1) EACH_PROPOSAL(2)
#else
#define EACH_BALLOT(step) :: step(0) :: step(1) :: step(2) :: step(3)
#define EACH EACH_PROPOSAL(0) EACH_PROPOSAL(1) EACH_PROPOSAL(2) EACH_PROPOSAL(3)
#endif

active [MEMBERS] proctype steps() {
end:
  do
  EACH_BALLOT(start)
  EACH_BALLOT(promise)
  EACH
  EACH_BALLOT(propose_again)
#if MEMBERS > 3
  EACH_BALLOT(agree)
#endif
  EACH_BALLOT(vote)
#if LOSSES > 0
  EACH_BALLOT(recover)
  :: lose_disk()
#endif
  :: fold()
  :: receive_plain()
  :: restart()
  od
}
