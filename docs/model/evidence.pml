/*
 * Conditions with a member that lies about an outcome: one slot, and two decisions on one unit. Decision 1 has the outcome
 * that each honest member finds, decision 2 has the other one. README.md explains it.
 *
 * The liar's messages need no state. Whenever its promise, its proposal or its vote helps, assume that it has sent it, to
 * some members only and together with the opposite. It cannot forge the signatures of the honest members.
 */
#ifndef MEMBERS
#define MEMBERS 3
#endif
#ifndef BALLOTS
#define BALLOTS 3
#endif
#define HONEST (MEMBERS - 1)
#define MAJORITY (MEMBERS / 2 + 1)
#define LIAR MEMBERS

typedef Ballot {
  unsigned keeper : 3;         /* member + 1; the last member is the liar; 0: not started */
  unsigned promises : 3;       /* the honest members that have promised it */
  bit promised1;               /* whether one of these has voted for decision 1 before, or for decision 2 */
  bit promised2;
  unsigned proposed : 2;       /* what an honest keeper has signed: decision 1 or 2; 0: nothing */
  unsigned votes1 : 3;         /* the honest members that have voted for decision 1, and for decision 2 */
  unsigned votes2 : 3;
}

typedef Member {
  unsigned promised : 2;       /* the highest promised ballot; ballots are 1, 2, …; 0: none */
  unsigned voteDecision : 2;   /* its last vote */
}

Member member[HONEST];
Ballot ballot[BALLOTS];

#define MINE member[_pid]
#define B(b) ballot[b - 1]
#define ME (1 << _pid)
#define COUNT(set) (((set) & 1) + (((set) >> 1) & 1) + (((set) >> 2) & 1))
#define VOTES(b, d) (d == 1 -> B(b).votes1 : B(b).votes2)
#define IS_KEEPER(b) (B(b).keeper == _pid + 1)
/* With the liar. */
#define IS_MAJORITY(set) (COUNT(set) + 1 >= MAJORITY)

/*
 * Evidence for decision d of ballot b: the keeper has signed the proposal, and another member has voted for it. The liar
 * votes for all that a keeper proposes, and proposes all that a member votes for.
 */
#ifdef UNSIGNED_PROPOSAL
#define IS_SIGNED(b, d) true
#else
#define IS_SIGNED(b, d) (B(b).proposed == d)
#endif
#define IS_EVIDENCE(b, d) (B(b).keeper == LIAR -> VOTES(b, d) != 0 : B(b).keeper != 0 && IS_SIGNED(b, d))
#define HAS_EVIDENCE_OF(b, d) ((b > 1 && IS_EVIDENCE(1, d)) || (b > 2 && IS_EVIDENCE(2, d)))
/* Decision 2 may also be a proposal with the same first unit, and another one with an outcome that no honest member finds. */
#ifdef EVIDENCE_OF_FIRST
#define HAS_EVIDENCE_BEFORE(b, d) (HAS_EVIDENCE_OF(b, 1) || HAS_EVIDENCE_OF(b, 2))
#else
#define HAS_EVIDENCE_BEFORE(b, d) HAS_EVIDENCE_OF(b, d)
#endif
/* What the liar may claim to have voted for, in its promise for ballot b. */
#ifdef UNPROVEN_ACCEPTED
#define LIAR_MAY_CLAIM(b, d) true
#else
#define LIAR_MAY_CLAIM(b, d) HAS_EVIDENCE_BEFORE(b, d)
#endif
#define FINDS(d) (d == 1)

/* An honest member, or the liar, becomes the keeper of a ballot. */
inline start(b) {
  d_step {
    B(b).keeper == 0 && MINE.promised < b ->
    B(b).keeper = _pid + 1;
    printf("member %d starts ballot %d\n", _pid + 1, b);
    make_promise(b)
  }
}

inline start_of_liar(b) {
  d_step {
    B(b).keeper == 0 ->
    B(b).keeper = LIAR;
    printf("the liar starts ballot %d\n", b)
  }
}

inline promise(b) {
  d_step {
    MINE.promised < b && B(b).keeper != 0 ->
    make_promise(b);
    printf("member %d promises ballot %d, its last vote is for decision %d\n", _pid + 1, b, MINE.voteDecision)
  }
}

inline make_promise(b) {
  MINE.promised = b;
  B(b).promises = B(b).promises | ME;
  B(b).promised1 = B(b).promised1 || MINE.voteDecision == 1;
  B(b).promised2 = B(b).promised2 || MINE.voteDecision == 2
}

#define PROMISED(b, d) (d == 1 -> B(b).promised1 : B(b).promised2)
#define MAY_PROPOSE(b) (IS_KEEPER(b) && MINE.promised == b && B(b).proposed == 0 && IS_MAJORITY(B(b).promises))

/*
 * An honest keeper proposes what it finds, or what a promise contains: the vote of an honest member, or what the liar
 * claims. More proposals are possible here than in the daemon, which proposes the vote of the latest ballot.
 */
inline propose(b, d) {
  d_step {
    MAY_PROPOSE(b) && (FINDS(d) || PROMISED(b, d) || LIAR_MAY_CLAIM(b, d)) ->
    B(b).proposed = d;
    if
    :: FINDS(d) || PROMISED(b, d)
    :: else -> printf("member %d receives a promise of the liar, with a vote for decision %d\n", _pid + 1, d)
    fi;
    printf("member %d proposes decision %d in ballot %d\n", _pid + 1, d, b)
  }
}

#define MAY_VOTE(b, d) (MINE.promised <= b && ((B(b).votes1 | B(b).votes2) & ME) == 0)
/* The keeper votes after another member, which may be the liar. */
#define AGREES(b, d) (IS_KEEPER(b) -> B(b).proposed == d && MINE.promised == b : \
  (B(b).keeper == LIAR || B(b).proposed == d) && (FINDS(d) || HAS_EVIDENCE_BEFORE(b, d)))

inline vote(b, d) {
  d_step {
    MAY_VOTE(b, d) && AGREES(b, d) ->
    MINE.promised = b;
    MINE.voteDecision = d;
    if
    :: FINDS(d) || IS_KEEPER(b)
    :: else -> printf("member %d receives a proposal of decision %d in ballot %d, with evidence\n", _pid + 1, d, b)
    fi;
    if
    :: d == 1 -> B(b).votes1 = B(b).votes1 | ME
    :: else -> B(b).votes2 = B(b).votes2 | ME
    fi;
    printf("member %d votes for decision %d in ballot %d\n", _pid + 1, d, b);
    if
    :: d == 2 && IS_MAJORITY(B(b).votes2) ->
      printf("violated: a decision has an outcome that an honest member has found\n");
      assert(false)
    :: else
    fi
  }
}

#define STEPS(b) :: start(b) :: start_of_liar(b) :: promise(b) :: propose(b, 1) :: propose(b, 2) :: vote(b, 1) :: vote(b, 2)

active [HONEST] proctype steps() {
end:
  do
  STEPS(1)
  STEPS(2)
#if BALLOTS > 2
  STEPS(3)
#endif
  od
}
