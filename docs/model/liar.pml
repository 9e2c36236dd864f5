/*
 * Conditions with a member that lies: one slot, and two decisions that exclude each other. README.md explains it.
 *
 * The liar's messages need no state. Whenever its agreement, its vote or its promise helps, assume that it has sent it,
 * to some members only and together with the opposite. It cannot forge signatures, so each message of the others is real.
 * Every keeper may lie too: a member accepts a proposal if promises prove that it is permitted.
 */
#ifndef MEMBERS
#define MEMBERS 4
#endif
/* The number of members whose messages decide. */
#ifndef QUORUM
#define QUORUM (MEMBERS / 2 + 1)
#endif
#ifndef LIARS
#define LIARS 1
#endif
#ifndef BALLOTS
#define BALLOTS 3
#endif
#define HONEST (MEMBERS - LIARS)

/* What an honest member sent in a ballot. Decisions are 1 and 2, ballots are 1, 2, …; 0 is none. */
typedef Sent {
  bit isPromised;
  unsigned voteBallot : 2;     /* its last vote before, which the promise contains */
  unsigned voteDecision : 2;
  unsigned agreed : 2;
  unsigned voted : 2;
}

typedef Member {
  unsigned promised : 2;
  unsigned voteBallot : 2;
  unsigned voteDecision : 2;
  Sent sent[BALLOTS];
}

Member member[HONEST];
unsigned decided : 2;

#define MINE member[_pid]
#define SENT(m, b) member[m].sent[b - 1]

#if HONEST == 2
#define SUM(f, b, x) (LIARS + f(0, b, x) + f(1, b, x))
#define ANY(f, b, x) (f(0, b, x) || f(1, b, x))
#elif HONEST == 3
#define SUM(f, b, x) (LIARS + f(0, b, x) + f(1, b, x) + f(2, b, x))
#define ANY(f, b, x) (f(0, b, x) || f(1, b, x) || f(2, b, x))
#else
#define SUM(f, b, x) (LIARS + f(0, b, x) + f(1, b, x) + f(2, b, x) + f(3, b, x))
#define ANY(f, b, x) (f(0, b, x) || f(1, b, x) || f(2, b, x) || f(3, b, x))
#endif

#define HAS_AGREED(m, b, d) (SENT(m, b).agreed == d)
#define HAS_VOTED(m, b, d) (SENT(m, b).voted == d)
#define IS_PROMISE_UP_TO(m, b, vote) (SENT(m, b).isPromised && SENT(m, b).voteBallot <= vote)
#define IS_AGREED(b, d) (SUM(HAS_AGREED, b, d) >= QUORUM)
#define IS_VOTED(b, d) (SUM(HAS_VOTED, b, d) >= QUORUM)

/* Decision d may be proposed in ballot b: a quorum of promises contains no vote, or its last vote is for d, in ballot v. */
#define IS_FREE(b) (SUM(IS_PROMISE_UP_TO, b, 0) >= QUORUM)
#define IS_BOUND(b, d, v) (v < b && SUM(IS_PROMISE_UP_TO, b, v) >= QUORUM && (CONTAINS(b, d, v) || LIAR_CLAIMS(d, v)))
#define CONTAINS_1(m, b, v) (SENT(m, b).isPromised && SENT(m, b).voteBallot == v && SENT(m, b).voteDecision == 1)
#define CONTAINS_2(m, b, v) (SENT(m, b).isPromised && SENT(m, b).voteBallot == v && SENT(m, b).voteDecision == 2)
#define CONTAINS(b, d, v) (d == 1 && ANY(CONTAINS_1, b, v) || d == 2 && ANY(CONTAINS_2, b, v))
/* A promise contains the agreements on the last vote. Without this proof, the liar could claim any vote. */
#ifdef UNPROVEN_VOTES
#define LIAR_CLAIMS(d, v) (LIARS > 0)
#else
#define LIAR_CLAIMS(d, v) (LIARS > 0 && IS_AGREED(v, d))
#endif
#ifdef UNPROVEN_PROPOSALS
#define IS_JUSTIFIED(b, d) true
#elif BALLOTS == 2
#define IS_JUSTIFIED(b, d) (IS_FREE(b) || IS_BOUND(b, d, 1))
#else
#define IS_JUSTIFIED(b, d) (IS_FREE(b) || IS_BOUND(b, d, 1) || IS_BOUND(b, d, 2))
#endif

inline promise(b) {
  d_step {
    MINE.promised < b ->
    MINE.promised = b;
    SENT(_pid, b).isPromised = 1;
    SENT(_pid, b).voteBallot = MINE.voteBallot;
    SENT(_pid, b).voteDecision = MINE.voteDecision;
    printf("member %d promises ballot %d, its last vote is for decision %d in ballot %d\n", _pid + 1, b, MINE.voteDecision, MINE.voteBallot)
  }
}

inline agree(b, d) {
  d_step {
    MINE.promised <= b && SENT(_pid, b).agreed == 0 && IS_JUSTIFIED(b, d) ->
    SENT(_pid, b).agreed = d;
    printf("member %d agrees with decision %d in ballot %d\n", _pid + 1, d, b)
  }
}

#ifdef VOTES_WITHOUT_AGREEMENT
#define MAY_VOTE(b, d) IS_JUSTIFIED(b, d)
#else
#define MAY_VOTE(b, d) IS_AGREED(b, d)
#endif

inline vote(b, d) {
  d_step {
    MINE.promised <= b && SENT(_pid, b).voted == 0 && MAY_VOTE(b, d) ->
    SENT(_pid, b).voted = d;
    MINE.promised = b;
    MINE.voteBallot = b;
    MINE.voteDecision = d;
    printf("member %d votes for decision %d in ballot %d\n", _pid + 1, d, b);
    if
    :: IS_VOTED(b, d) ->
      if
      :: decided == 3 - d -> printf("violated: a slot has one decision\n"); assert(false)
      :: else -> decided = d
      fi
    :: else
    fi
  }
}

#define STEPS(b) :: promise(b) :: agree(b, 1) :: agree(b, 2) :: vote(b, 1) :: vote(b, 2)

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
