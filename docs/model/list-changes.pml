/*
 * Changes of a member list by a majority of its members, which add, remove and replace daemons. README.md explains
 * the rules and how to read this file. Members 1 to 3 have the first list; daemons 4 and 5 may be added. With LEAVING,
 * connected members leave, while a client writes.
 */
#ifndef TEXTS
#define TEXTS 3
#endif

#define BIT(d) (1 << (d))
#define HAS(set, d) (((set) >> (d)) & 1)
#define MAX(a, b) ((a) > (b) -> (a) : (b))
#define COUNT(set) (((set) & 1) + (((set) >> 1) & 1) + (((set) >> 2) & 1) + (((set) >> 3) & 1) + (((set) >> 4) & 1))
#define IS_MAJORITY(set, all) (2 * COUNT((set) & (all)) > COUNT(all))

/* The text of a list, as one number. 0: none. */
#define TEXT(number, members, left) ((number) | (members) << 3 | (left) << 8)
#define NUMBER(t) ((t) & 7)
#define MEMBERS(t) (((t) >> 3) & 31)
#define LEFT(t) (((t) >> 8) & 31)
#define NAMED(t) (MEMBERS(t) | LEFT(t))
#define FIRST TEXT(1, 7, 0)
#define FOLLOWS(later, earlier) (NUMBER(later) > NUMBER(earlier) && (NAMED(earlier) & ~NAMED(later)) == 0 \
  && (MEMBERS(later) & LEFT(earlier)) == 0)

typedef Text {
  unsigned list : 13;          /* 0: no text yet */
  unsigned announced : 5;
  unsigned signedBy : 5;
  bit isComplete;              /* whether a daemon has adopted it */
}

typedef Daemon {
  unsigned last : 13;          /* the text that it signed last */
  unsigned list : 13;          /* the list in force */
}

Text text[TEXTS];              /* the highest first, so that states do not differ by their order */
Daemon daemon[5];
#ifdef LEAVING
byte holders;                  /* the daemons that have the client's write; 0: none has accepted it yet */
#endif
byte i;
short new;                     /* the text that is announced; 0 between the steps, like `i` */

/* Stops the search if a rule does not hold. The text is the last line of the trace. */
#define REQUIRE(condition, text) if :: condition :: else -> printf(text); assert(false) fi

#define MINE daemon[_pid]
#define ME BIT(_pid)

/* A list directly follows the list in force, and a member signs one such text. */
#ifdef FOLLOWS_OPEN
/* It also signs a text that follows what it has signed, complete or not. */
#define IS_DIRECT(t) true
#define MAY_SIGN(t) (FOLLOWS(t, MINE.last) && FOLLOWS(t, MINE.list))
#define BEFORE MAX(NUMBER(MINE.list), NUMBER(MINE.last))
#define NAMED_BEFORE (NAMED(MINE.list) | NAMED(MINE.last))
#define LEFT_BEFORE (LEFT(MINE.list) | LEFT(MINE.last))
#else
#define IS_DIRECT(t) (NUMBER(t) == NUMBER(MINE.list) + 1)
#ifdef SIGNS_TWO
#define MAY_SIGN(t) (IS_DIRECT(t) && FOLLOWS(t, MINE.list))
#else
#define MAY_SIGN(t) (IS_DIRECT(t) && FOLLOWS(t, MINE.list) && NUMBER(MINE.last) <= NUMBER(MINE.list))
#endif
#define BEFORE NUMBER(MINE.list)
#define NAMED_BEFORE NAMED(MINE.list)
#define LEFT_BEFORE LEFT(MINE.list)
#endif

inline printIds(set) {
  if :: HAS(set, 0) -> printf(" 1") :: else fi;
  if :: HAS(set, 1) -> printf(" 2") :: else fi;
  if :: HAS(set, 2) -> printf(" 3") :: else fi;
  if :: HAS(set, 3) -> printf(" 4") :: else fi;
  if :: HAS(set, 4) -> printf(" 5") :: else fi
}

inline printList(t) {
  printf("list %d of", NUMBER(t));
  printIds(MEMBERS(t));
  if :: LEFT(t) != 0 -> printf(" without"); printIds(LEFT(t)) :: else fi;
  printf("\n")
}

/* Makes space for `new` at its place. */
inline insert() {
  i = TEXTS - 1;
  do
  :: i > 0 && text[i - 1].list < new ->
    text[i].list = text[i - 1].list;
    text[i].announced = text[i - 1].announced;
    text[i].signedBy = text[i - 1].signedBy;
    text[i].isComplete = text[i - 1].isComplete;
    i--
  :: else -> break
  od;
  text[i].list = new;
  text[i].announced = 0;
  text[i].signedBy = 0;
  text[i].isComplete = 0
}

inline announce(set) {
  d_step {
    MINE.list != 0 && HAS(MEMBERS(MINE.list), _pid) && HAS(set, _pid) && MEMBERS(MINE.list) != set &&
    (LEFT_BEFORE & set) == 0 ->
    new = TEXT(BEFORE + 1, set, NAMED_BEFORE & ~set);
    i = 0;
    do
    :: i < TEXTS && text[i].list != new -> i++
    :: else -> break
    od;
    if
    :: i == TEXTS && text[TEXTS - 1].list == 0 -> insert()
    :: else
    fi;
    if
    :: i < TEXTS && !HAS(text[i].announced, _pid) ->
      text[i].announced = text[i].announced | ME;
      printf("daemon %d announces ", _pid + 1);
      printList(new)
    :: else
    fi;
    i = 0;
    new = 0
  }
}

inline sign(k) {
  d_step {
    MINE.list != 0 && HAS(text[k].announced, _pid) && !HAS(text[k].signedBy, _pid) &&
    HAS(MEMBERS(text[k].list), _pid) && IS_MAJORITY(text[k].announced, MEMBERS(MINE.list)) && MAY_SIGN(text[k].list) ->
    MINE.last = text[k].list;
    text[k].signedBy = text[k].signedBy | ME;
    printf("daemon %d signs ", _pid + 1);
    printList(text[k].list)
  }
}

/* A daemon that is added accepts the list from a member that has it. */
inline adopt(k) {
  d_step {
    HAS(MEMBERS(text[k].list), _pid) && FOLLOWS(text[k].list, MINE.list) &&
    ((MINE.list == 0 && text[k].isComplete) || (MINE.list != 0 && IS_DIRECT(text[k].list)
      && IS_MAJORITY(text[k].signedBy, MEMBERS(MINE.list)))) ->
    MINE.list = text[k].list;
    text[k].isComplete = 1;
    printf("daemon %d adopts ", _pid + 1);
    printList(text[k].list);
#ifdef LEAVING
    REQUIRE(holders == 0 || (holders & MEMBERS(text[k].list)) != 0,
      "violated: the members have each acknowledged write\n");
#endif
    do
    :: i == TEXTS -> break
    :: else ->
      REQUIRE(i == k || !text[i].isComplete || FOLLOWS(text[i].list, text[k].list)
        || FOLLOWS(text[k].list, text[i].list), "violated: of two complete lists, one follows the other\n");
      i++
    od;
    i = 0
  }
}

#ifdef LEAVING
/* A member has signed a text without itself that is not followed: it may be complete at any time. */
#define IS_LEAVING (NUMBER(MINE.last) > NUMBER(MINE.list) && !HAS(MEMBERS(MINE.last), _pid))

/* A connected member begins to leave: it announces the list without itself, and signs it later. */
inline leave() {
  d_step {
    HAS(MEMBERS(MINE.list), _pid) && COUNT(MEMBERS(MINE.list)) > 1 ->
    new = TEXT(NUMBER(MINE.list) + 1, MEMBERS(MINE.list) & ~ME, NAMED(MINE.list) & ~(MEMBERS(MINE.list) & ~ME));
    i = 0;
    do
    :: i < TEXTS && text[i].list != new -> i++
    :: else -> break
    od;
    if
    :: i == TEXTS && text[TEXTS - 1].list == 0 -> insert()
    :: else
    fi;
    if
    :: i < TEXTS && !HAS(text[i].announced, _pid) ->
      text[i].announced = text[i].announced | ME;
      printf("daemon %d announces that it leaves, by ", _pid + 1);
      printList(new)
    :: else
    fi;
    i = 0;
    new = 0
  }
}

#ifdef HANDS_OVER_NOTHING
#define HAS_HANDED_OVER(set) true
#else
#define HAS_HANDED_OVER(set) (!HAS(holders, _pid) || ((set) & ~holders) == 0)
#endif

inline signLeaving(k) {
  d_step {
    HAS(MEMBERS(MINE.list), _pid) && HAS(text[k].announced, _pid) && !HAS(MEMBERS(text[k].list), _pid) &&
    !HAS(text[k].signedBy, _pid) && MAY_SIGN(text[k].list) && HAS_HANDED_OVER(MEMBERS(text[k].list)) ->
    MINE.last = text[k].list;
    text[k].signedBy = text[k].signedBy | ME;
    printf("daemon %d signs that it leaves, by ", _pid + 1);
    printList(text[k].list)
  }
}

/* A member agrees once the one that leaves has signed. */
#ifdef BEFORE_SIGNED
#define CONSENTS text[k].announced
#else
#define CONSENTS text[k].signedBy
#endif

inline agree(k) {
  d_step {
    HAS(MEMBERS(MINE.list), _pid) && HAS(MEMBERS(text[k].list), _pid) && IS_DIRECT(text[k].list) &&
    FOLLOWS(text[k].list, MINE.list) && !HAS(text[k].announced, _pid) &&
    (MEMBERS(MINE.list) & ~MEMBERS(text[k].list) & ~CONSENTS) == 0 ->
    text[k].announced = text[k].announced | ME;
    printf("daemon %d announces ", _pid + 1);
    printList(text[k].list)
  }
}

#ifdef KEEPS_WRITING
#define MAY_ACCEPT true
#else
#define MAY_ACCEPT (!IS_LEAVING)
#endif

/* A client's write is acknowledged as soon as one daemon has it. */
inline accept() {
  d_step {
    holders == 0 && HAS(MEMBERS(MINE.list), _pid) && MAY_ACCEPT ->
    holders = ME;
    printf("daemon %d accepts the write\n", _pid + 1);
    i = 0;
    do
    :: i == TEXTS -> break
    :: else ->
      REQUIRE(!text[i].isComplete || HAS(MEMBERS(text[i].list), _pid), "violated: the members have each acknowledged write\n");
      i++
    od;
    i = 0
  }
}

/* The members of both lists send each other what they have. */
inline send(d) {
  d_step {
    HAS(holders, _pid) && !HAS(holders, d) && HAS(MEMBERS(MINE.list), d) && HAS(MEMBERS(daemon[d].list), _pid) ->
    holders = holders | BIT(d);
    printf("daemon %d sends the write to daemon %d\n", _pid + 1, d + 1)
  }
}
#endif

active [5] proctype steps() {
  d_step { if :: _pid < 3 -> MINE.list = FIRST :: else fi }
end:
  do
#ifdef LEAVING
  :: leave() :: accept() :: send(0) :: send(1) :: send(2)
  :: signLeaving(0) :: signLeaving(1) :: signLeaving(2)
  :: agree(0) :: agree(1) :: agree(2)
#else
  :: announce(31)              /* all: two are added */
  :: announce(25)              /* 1, 4, 5: two are removed */
  :: announce(6)               /* 2, 3: one is removed */
#endif
#ifdef ONE_BY_ONE
  :: announce(15)              /* 1 to 4: one is added */
#endif
  :: sign(0) :: sign(1) :: sign(2)
  :: adopt(0) :: adopt(1) :: adopt(2)
#if TEXTS > 3
  :: sign(3) :: adopt(3)
#endif
  od
}
