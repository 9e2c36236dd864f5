/*
 * Founding: daemons agree on a member list by the signatures of all its members. They found the first one, and force
 * lists that leave out lost members. README.md explains the rules and how to read this file.
 */

/*
 * Sizes. With LOSSES, the folder at the last of three addresses is lost, and a daemon with a fourth id answers there;
 * with two, the first folder is found again after that. LISTED: the daemons that have an administrator's list from the
 * start, as bits. FORCES: members may force a list. ANY_SET: daemons may see any set, because their addresses differ.
 */
#ifndef DAEMONS
#define DAEMONS 3
#endif
#ifndef TEXTS
#define TEXTS 3
#endif
#ifndef LOSSES
#define LOSSES 0
#endif
#ifndef RESTARTS
#define RESTARTS 0
#endif
#ifndef LISTED
#define LISTED 0
#endif
#if LOSSES > 0
#define IDS (DAEMONS + 1)
#else
#define IDS DAEMONS
#endif

#define BIT(d) (1 << (d))
#define HAS(set, d) (((set) >> (d)) & 1)
#define MAX(a, b) ((a) > (b) -> (a) : (b))
#define COUNT(set) (((set) & 1) + (((set) >> 1) & 1) + (((set) >> 2) & 1) + (((set) >> 3) & 1))
#define ALL (BIT(DAEMONS) - 1)

/* The text of a list, as one number. 0: none, which each text follows. */
#define TEXT(number, members, left, isForced) ((number) | (members) << 3 | (left) << 7 | (isForced) << 11)
#define NUMBER(t) ((t) & 7)
#define MEMBERS(t) (((t) >> 3) & 15)
#define LEFT(t) (((t) >> 7) & 15)
#define IS_FORCED(t) (((t) >> 11) & 1)
#define NAMED(t) (MEMBERS(t) | LEFT(t))
#define ADMINISTRATORS (TEXT(1, ALL, 0, 0) | 1 << 12)

typedef Text {
  unsigned list : 12;          /* 0: no text yet */
  unsigned announced : 4;      /* the daemons that have announced it */
  unsigned ordered : 4;        /* a forced list: those whose operators have ordered it */
  unsigned signedBy : 4;       /* those that have sent their signature */
}

typedef Daemon {
  unsigned last : 12;          /* the text that it signed last: it follows all that it has signed */
  unsigned list : 13;          /* the list in force */
#if RESTARTS > 0
  unsigned stored : 12;        /* the text that it signed last, as it is on the disk */
#endif
#ifdef STANDING_ORDER
  bit hasOrder;                /* its operator has ordered a list */
#endif
}

Text text[6];                  /* the highest first, so that states do not differ by their order */
Daemon daemon[4];
bit isUsed = (LISTED != 0);    /* whether a daemon has the administrator's list */
unsigned losses : 2 = LOSSES;
unsigned restarts : 2 = RESTARTS;
byte i;
short new;                     /* the text that is announced; 0 between the steps, like `i` */

/* Stops the search if a rule does not hold. The text is the last line of the trace. */
#define REQUIRE(condition, text) if :: condition :: else -> printf(text); assert(false) fi

#define MINE daemon[_pid]
#define ME BIT(_pid)
#define NEWCOMER DAEMONS
#define HAS_MOVED ((LOSSES - losses) % 2 == 1)
#if LOSSES > 0
#define RUNS (_pid < DAEMONS - 1 || (_pid == NEWCOMER) == HAS_MOVED)
#else
#define RUNS true
#endif

/* Whether a list names each daemon of an earlier one, and whether one that was left out would return. */
#define ACCOUNTS(later, earlier) (NUMBER(later) > NUMBER(earlier) && (NAMED(earlier) & ~NAMED(later)) == 0)
#define RETURNS(later, earlier) ((MEMBERS(later) & LEFT(earlier)) != 0)
#define FOLLOWS(later, earlier) (ACCOUNTS(later, earlier) && !RETURNS(later, earlier))

/* What a text must do to be signed after another one. */
#if defined(UNCHECKED)
#define MAY_FOLLOW(later, earlier) true
#elif defined(SAME_NUMBER)
#define MAY_FOLLOW(later, earlier) (NUMBER(later) == NUMBER(earlier) || FOLLOWS(later, earlier))
#elif defined(NAMES_NONE)
#define MAY_FOLLOW(later, earlier) (NUMBER(later) > NUMBER(earlier))
#elif defined(NAMES_MEMBERS)
#define MAY_FOLLOW(later, earlier) (NUMBER(later) > NUMBER(earlier) \
  && (MEMBERS(earlier) & ~NAMED(later)) == 0 && !RETURNS(later, earlier))
#elif defined(READMITS)
#define MAY_FOLLOW(later, earlier) ACCOUNTS(later, earlier)
#else
#define MAY_FOLLOW(later, earlier) FOLLOWS(later, earlier)
#endif

/*
 * Announcing. The text follows the list in force, what the daemon has signed, and what it knows that the daemons of the
 * set have signed. It knows this of all, of one or of none (`known`).
 */
#if RESTARTS > 0
#define SIGNED_OF(d) daemon[d].stored
#else
#define SIGNED_OF(d) daemon[d].last
#endif
#define SIGNED(set, known, d) (HAS((set) & (known), d) -> SIGNED_OF(d) : 0)
#ifdef FOUNDS_AGAIN
#define OWN_LIST 0
#else
#define OWN_LIST MINE.list
#endif
#define NUMBER_OF(set, known) MAX(MAX(NUMBER(OWN_LIST), NUMBER(MINE.last)), \
  MAX(MAX(NUMBER(SIGNED(set, known, 0)), NUMBER(SIGNED(set, known, 1))), \
    MAX(NUMBER(SIGNED(set, known, 2)), NUMBER(SIGNED(set, known, 3)))))
#define IN_ANY(PART, set, known) (PART(MINE.last) | PART(SIGNED(set, known, 0)) | PART(SIGNED(set, known, 1)) \
  | PART(SIGNED(set, known, 2)) | PART(SIGNED(set, known, 3)))
#if defined(NAMES_NONE)
#define NAMED_BY(set, known) NAMED(OWN_LIST)
#elif defined(NAMES_MEMBERS)
#define NAMED_BY(set, known) (NAMED(OWN_LIST) | IN_ANY(MEMBERS, set, known))
#else
#define NAMED_BY(set, known) (NAMED(OWN_LIST) | IN_ANY(NAMED, set, known))
#endif
#define NEXT(set, known, isForced) \
  TEXT(NUMBER_OF(set, known) + 1, set, NAMED_BY(set, known) & ~(set), isForced)

#if defined(READMITS)
#define IS_REFUSED(set, known) false
#else
#define IS_REFUSED(set, known) (((LEFT(OWN_LIST) | IN_ANY(LEFT, set, known)) & (set)) != 0)
#endif
#ifdef PROGRESS
/* Whether it has not announced this text. Otherwise the step changes nothing, and the search would never end in it. */
#define IS_MINE(k, t) (text[k].list == (t) && HAS(text[k].announced, _pid))
#define IS_ANNOUNCED(t) (IS_MINE(0, t) || IS_MINE(1, t) || IS_MINE(2, t) || IS_MINE(3, t) || IS_MINE(4, t) \
  || IS_MINE(5, t))
#else
#define IS_ANNOUNCED(t) false
#endif
#define CAN_ANNOUNCE(set, known, isForced) (RUNS && HAS(set, _pid) && !IS_REFUSED(set, known) \
  && !IS_ANNOUNCED(NEXT(set, known, isForced)))

inline printIds(set) {
  if :: HAS(set, 0) -> printf(" 1") :: else fi;
  if :: HAS(set, 1) -> printf(" 2") :: else fi;
  if :: HAS(set, 2) -> printf(" 3") :: else fi;
  if :: HAS(set, 3) -> printf(" 4") :: else fi
}

inline printList(t) {
  if :: IS_FORCED(t) -> printf("the forced list %d of", NUMBER(t)) :: else -> printf("list %d of", NUMBER(t)) fi;
  printIds(MEMBERS(t));
  if :: LEFT(t) != 0 -> printf(" without"); printIds(LEFT(t)) :: else fi
}

/* Makes space for `new` at its place. */
inline insert() {
  i = TEXTS - 1;
  do
  :: i > 0 && text[i - 1].list < new ->
    text[i].list = text[i - 1].list;
    text[i].announced = text[i - 1].announced;
    text[i].ordered = text[i - 1].ordered;
    text[i].signedBy = text[i - 1].signedBy;
    i--
  :: else -> break
  od;
  text[i].list = new;
  text[i].announced = 0;
  text[i].ordered = 0;
  text[i].signedBy = 0
}

/* Announces `new`, if there is space for one more text. `orders`: this daemon, if its operator has ordered it. */
inline record(orders) {
  i = 0;
  do
  :: i < TEXTS && text[i].list != new -> i++
  :: else -> break
  od;
  if
  :: i == TEXTS && text[TEXTS - 1].list == 0 -> insert()
  :: else
  fi;
#ifdef PROGRESS
  REQUIRE(i < TEXTS, "violated: the model has enough texts\n");
#endif
  if
  :: i < TEXTS && !HAS(text[i].announced & (text[i].ordered | ~(orders)), _pid) ->
    text[i].announced = text[i].announced | ME;
    text[i].ordered = text[i].ordered | (orders);
    printf("daemon %d announces ", _pid + 1);
    printList(new);
    printf("\n")
  :: else
  fi;
  i = 0;
  new = 0
}

/* Daemons have proved these ids at all addresses. A daemon may have seen the lost one before. */
#define MOVED ((ALL & ~BIT(DAEMONS - 1)) | BIT(NEWCOMER))
#if defined(PROGRESS)
#define IS_SEEN(set) ((set) == (HAS_MOVED -> MOVED : ALL))
#elif defined(ANY_SET)
#define IS_SEEN(set) ((set) != ME)
#else
#define IS_SEEN(set) ((set) == ALL || losses < LOSSES)
#endif

/* With PROGRESS, a text that can still be signed is continued, so that the numbers do not grow without an end. */
#define PRECEDES(k, d) (daemon[d].last == text[k].list || FOLLOWS(text[k].list, daemon[d].last))
#ifdef CONTINUES_NEWEST
#define IS_OPEN(k, set) (MEMBERS(text[k].list) == (set) && NUMBER(text[k].list) == NUMBER_OF(set, 15) \
  && (text[k].list == MINE.last || (text[k].signedBy != 0 && NUMBER(MINE.last) < NUMBER_OF(set, 15))))
#else
#define IS_OPEN(k, set) ((text[k].signedBy != 0 || text[k].list == MINE.last) && MEMBERS(text[k].list) == (set) \
  && (!HAS(set, 0) || PRECEDES(k, 0)) && (!HAS(set, 1) || PRECEDES(k, 1)) && (!HAS(set, 2) || PRECEDES(k, 2)) \
  && (!HAS(set, 3) || PRECEDES(k, 3)))
#endif
#if defined(OWN_ONLY)
#define IS_ONE_OPEN(set) (MINE.last != 0 && MEMBERS(MINE.last) == (set))
#define MAY_CONTINUE(k, set) (text[k].list == MINE.last)
#elif defined(PROGRESS)
#define IS_ONE_OPEN(set) (IS_OPEN(0, set) || IS_OPEN(1, set) || IS_OPEN(2, set) || IS_OPEN(3, set) \
  || IS_OPEN(4, set) || IS_OPEN(5, set))
#define MAY_CONTINUE(k, set) IS_OPEN(k, set)
#else
#define IS_ONE_OPEN(set) false
#define MAY_CONTINUE(k, set) MAY_FOLLOW(text[k].list, MINE.last)
#endif

/* An operator has ordered it here, or another daemon has announced the same text. */
inline found(set, known) {
  d_step {
    OWN_LIST == 0 && IS_SEEN(set) && !IS_ONE_OPEN(set) && CAN_ANNOUNCE(set, known, 0) ->
    new = NEXT(set, known, 0);
    record(0)
  }
}

/* The same set is seen as in an earlier order: the daemon announces the same text. */
inline continue(k) {
  d_step {
    RUNS && text[k].list != 0 && !IS_FORCED(text[k].list) && HAS(MEMBERS(text[k].list), _pid) &&
    OWN_LIST == 0 && IS_SEEN(MEMBERS(text[k].list)) && !HAS(text[k].announced, _pid) &&
    MAY_CONTINUE(k, MEMBERS(text[k].list)) ->
    new = text[k].list;
    record(0)
  }
}

/* The order of the operator is for this set. */
#define IS_PART(set) (HAS(MEMBERS(MINE.list), _pid) && ((set) & ~MEMBERS(MINE.list)) == 0 \
  && (set) != MEMBERS(MINE.list))
inline force(set, known) {
  d_step {
    MINE.list != 0 && IS_PART(set) && CAN_ANNOUNCE(set, known, 1) ->
    new = NEXT(set, known, 1);
#ifdef STANDING_ORDER
    MINE.hasOrder = 1;
#endif
    record(ME)
  }
}

#define foundWithOwn(set) found(set, 0)
#define foundWithAll(set) found(set, 15)
#define forceWithOwn(set) force(set, 0)
#define forceWithAll(set) force(set, 15)

#ifdef STANDING_ORDER
/* The daemon sees another set, and announces it without a further order. */
inline forceAgain(set) {
  d_step {
    MINE.hasOrder && MINE.list != 0 && IS_PART(set) && CAN_ANNOUNCE(set, 0, 1) ->
    new = NEXT(set, 0, 1);
    record(0)
  }
}
#endif

#ifdef WITHOUT_ORDER
/* A member announces a forced list because another one has. */
inline join(k) {
  d_step {
    RUNS && IS_FORCED(text[k].list) && HAS(MEMBERS(text[k].list), _pid) && !HAS(text[k].announced, _pid) ->
    new = text[k].list;
    record(0)
  }
}
#endif

/* Signing, and what is complete by that. */

#ifdef MOST_SIGN
#define IS_COMPLETE(k) (text[k].list != 0 && 2 * COUNT(text[k].signedBy) > COUNT(MEMBERS(text[k].list)))
#else
#define IS_COMPLETE(k) (text[k].list != 0 && text[k].signedBy == MEMBERS(text[k].list))
#endif

/* If daemons may see any set, or force a list, two groups without a common member do not follow each other. */
#if (defined(ANY_SET) || defined(FORCES)) && !defined(TWO_GROUPS)
#define MUST_FOLLOW(a, b) ((MEMBERS(a) & MEMBERS(b)) != 0)
#else
#define MUST_FOLLOW(a, b) true
#endif

inline compare(a, b) {
  if
  :: MUST_FOLLOW(a, b) ->
    REQUIRE(ACCOUNTS(a, b) || ACCOUNTS(b, a), "violated: of two complete lists, one follows the other\n");
    REQUIRE((NUMBER(a) > NUMBER(b) -> !RETURNS(a, b) : !RETURNS(b, a)),
      "violated: a daemon that was left out does not return\n")
  :: else
  fi
}

inline complete(k) {
  printList(text[k].list);
  printf(" is complete\n");
  REQUIRE(!IS_FORCED(text[k].list) || text[k].ordered == MEMBERS(text[k].list),
    "violated: the operator of each member has ordered a forced list\n");
  i = 0;
  do
  :: i == TEXTS -> break
  :: else ->
    if
    :: i != k && IS_COMPLETE(i) -> compare(text[i].list, text[k].list)
    :: else
    fi;
    i++
  od;
  i = 0;
  if :: isUsed -> compare(ADMINISTRATORS, text[k].list) :: else fi
}

#define FOLLOWS_LIST(t) ((IS_FORCED(t) && MAY_FOLLOW(t, MINE.list)) || (!IS_FORCED(t) && OWN_LIST == 0))

inline send(k) {
  text[k].signedBy = text[k].signedBy | ME;
  if :: IS_COMPLETE(k) -> complete(k) :: else fi
}

/* Without restarts, the signature is on the disk immediately, and sent. It need not be received. */
inline sign(k) {
  d_step {
    RUNS && text[k].list != 0 && HAS(MEMBERS(text[k].list), _pid) && !HAS(text[k].signedBy, _pid) &&
    MINE.last != text[k].list && text[k].announced == MEMBERS(text[k].list) &&
    MAY_FOLLOW(text[k].list, MINE.last) && FOLLOWS_LIST(text[k].list) ->
    MINE.last = text[k].list;
    printf("daemon %d signs ", _pid + 1);
    printList(text[k].list);
    printf("\n");
#if RESTARTS == 0 || defined(NOT_ON_DISK)
    send(k)
#endif
  }
}

#if RESTARTS > 0
inline store(k) {
  d_step {
    RUNS && MINE.stored != MINE.last && text[k].list == MINE.last ->
    MINE.stored = MINE.last;
    printf("daemon %d has its signature on the disk\n", _pid + 1);
#ifndef NOT_ON_DISK
    send(k)
#endif
  }
}

/* What it has sent is still on its way. With PROGRESS, announcements are lost. */
inline restart() {
  d_step {
    RUNS && restarts > 0 ->
    restarts--;
#ifdef FORGETS
    MINE.stored = 0;
#endif
    MINE.last = MINE.stored;
#ifdef PROGRESS
    text[0].announced = text[0].announced & ~ME;
    text[1].announced = text[1].announced & ~ME;
    text[2].announced = text[2].announced & ~ME;
    text[3].announced = text[3].announced & ~ME;
    text[4].announced = text[4].announced & ~ME;
    text[5].announced = text[5].announced & ~ME;
#endif
    printf("daemon %d restarts\n", _pid + 1)
  }
}
#endif

#ifdef PROGRESS
/* It sends the signature of its last text again. */
inline resend(k) {
  d_step {
    RUNS && text[k].list != 0 && text[k].list == SIGNED_OF(_pid) && !HAS(text[k].signedBy, _pid) ->
    printf("daemon %d sends its signature again\n", _pid + 1);
    send(k)
  }
}
#endif

/* A daemon that has signed a list adopts it once it is complete. */
inline adopt(k) {
  d_step {
    RUNS && IS_COMPLETE(k) && HAS(text[k].signedBy, _pid) && FOLLOWS(text[k].list, MINE.list) ->
    MINE.list = text[k].list;
    printf("daemon %d adopts ", _pid + 1);
    printList(text[k].list);
    printf("\n");
    REQUIRE(text[k].signedBy == MEMBERS(text[k].list), "violated: a list has the signatures of all its members\n")
  }
}

/* The administrator's list needs no signature of its members. */
inline adoptAdministrators() {
  d_step {
    RUNS && _pid < DAEMONS && MINE.list == 0 ->
    MINE.list = ADMINISTRATORS;
    isUsed = 1;
    printf("daemon %d adopts an administrator's list 1 of", _pid + 1);
    printIds(ALL);
    printf("\n");
    i = 0;
    do
    :: i == TEXTS -> break
    :: else ->
      if :: IS_COMPLETE(i) -> compare(ADMINISTRATORS, text[i].list) :: else fi;
      i++
    od;
    i = 0
  }
}

#if defined(OWN_ONLY)
#define KNOWING(STEP, set) :: STEP(set, 0)
#elif defined(PROGRESS)
#define KNOWING(STEP, set) :: STEP(set, 15)
#else
#define KNOWING(STEP, set) :: STEP(set, 0) :: STEP(set, 1) :: STEP(set, 2) :: STEP(set, 4) :: STEP(set, 8) \
  :: STEP(set, 15)
#endif

#if TEXTS > 4
#define EACH_TEXT(STEP) :: STEP(0) :: STEP(1) :: STEP(2) :: STEP(3) :: STEP(4) :: STEP(5)
#elif TEXTS > 3
#define EACH_TEXT(STEP) :: STEP(0) :: STEP(1) :: STEP(2) :: STEP(3)
#elif TEXTS > 2
#define EACH_TEXT(STEP) :: STEP(0) :: STEP(1) :: STEP(2)
#else
#define EACH_TEXT(STEP) :: STEP(0) :: STEP(1)
#endif

#define EACH_SET_OF_THREE(STEP) :: STEP(1) :: STEP(2) :: STEP(3) :: STEP(4) :: STEP(5) :: STEP(6) :: STEP(7)
#if DAEMONS > 3
#define EACH_SET(STEP) EACH_SET_OF_THREE(STEP) \
  :: STEP(8) :: STEP(9) :: STEP(10) :: STEP(11) :: STEP(12) :: STEP(13) :: STEP(14) :: STEP(15)
#else
#define EACH_SET(STEP) EACH_SET_OF_THREE(STEP)
#endif

active [IDS] proctype steps() {
  d_step { if :: HAS(LISTED, _pid) -> MINE.list = ADMINISTRATORS :: else fi }
end:
  do
  KNOWING(found, ALL)
#if LOSSES > 0
  KNOWING(found, MOVED)
#endif
#ifdef ANY_SET
  EACH_SET(foundWithOwn)
  EACH_SET(foundWithAll)
#endif
#ifdef FORCES
  EACH_SET(forceWithOwn)
  EACH_SET(forceWithAll)
#endif
#ifdef STANDING_ORDER
  EACH_SET(forceAgain)
#endif
  EACH_TEXT(continue)
  EACH_TEXT(sign)
  EACH_TEXT(adopt)
#ifdef PROGRESS
  EACH_TEXT(resend)
#endif
#ifdef WITHOUT_ORDER
  EACH_TEXT(join)
#endif
#if LISTED != 0 || defined(LATE_LIST)
  :: adoptAdministrators()
#endif
#if RESTARTS > 0
  EACH_TEXT(store)
  :: restart()
#endif
  od
}

#if LOSSES > 0
#define LAST (HAS_MOVED -> NEWCOMER : DAEMONS - 1)

/* At the last address, another folder is used from now on. */
inline move() {
  losses--;
  printf("daemon %d starts instead of daemon %d\n", LAST + 1, (HAS_MOVED -> DAEMONS : NEWCOMER + 1))
}

#ifdef PROGRESS
/* What a daemon has sent never arrives, except in a list that another daemon has already adopted. */
#define IS_ADOPTED(k) (text[k].list == daemon[0].list || text[k].list == daemon[1].list)
inline silence(d) {
  i = 0;
  do
  :: i == TEXTS -> break
  :: else ->
    if
    :: IS_ADOPTED(i)
    :: else ->
      text[i].announced = text[i].announced & ~BIT(d);
      text[i].signedBy = text[i].signedBy & ~BIT(d)
    fi;
    i++
  od;
  i = 0;
  printf("nothing arrives of what it has sent\n")
}
#endif

active proctype folders() {
end:
  do
  :: d_step { losses > 0 -> move() }
#ifdef PROGRESS
  :: d_step { losses > 0 -> move(); silence((HAS_MOVED -> DAEMONS - 1 : NEWCOMER)) }
#endif
  od
}
#endif

#ifdef PROGRESS
/* Nothing else can happen: the first two daemons have the same list. */
active proctype check() {
  timeout ->
    REQUIRE(daemon[0].list != 0 && daemon[0].list == daemon[1].list, "violated: the daemons found a list\n")
}
#endif
