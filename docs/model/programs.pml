/*
 * Programs on decided keys: which runs of scripts take effect, and what their clients are answered. README.md explains
 * the rules and how to read this file.
 */

/* Sizes. Programs 1 and 2 are those of daemon 1, and programs 3 and 4 those of daemon 2. */
#define PROGRAMS 4
#ifndef LOSSES
#define LOSSES 1
#endif

/* The states of a program. */
#define WAITING 0
#define RUNNING 1              /* the members are to decide on what it has written */
#define ANSWERED 2
#define UNKNOWN 3              /* its client was answered that it may take effect */

/* It reads a key. If this key is absent, it writes a key. Its answer is what it has read. */
typedef Program {
  bit reads;                   /* the number of the key */
  bit writes;
  unsigned state : 2;
  bit isAgain;                 /* it took no effect by a decision */
  unsigned answer : 3;         /* that of its last run */
  bit hasWritten;
}

/* The states of a unit. */
#define NONE 0
#define PROPOSED 1
#define APPLIED 2
#define UNMET 3

typedef Unit {
  unsigned state : 2;
  unsigned first : 2;          /* the number of its program */
  bit isDouble;                /* it contains the next program, too */
  bit has[2];                  /* whether it has a condition for each key, */
  byte version[2];             /* and the version that the key must have */
  unsigned ranAt : 3;          /* the number of changes before the run */
  unsigned decidedAt : 3;      /* and after the decision */
}

/* The value of a key is the number of the program that has written it, from 1 on, or 0: it is absent. A program writes
   once, so that its value is its version, too. */
typedef Values {
  byte at[2];
}

Program program[PROGRAMS];
/* The unit that begins with each program; and the last one, whose daemon no longer waits for the decision. */
Unit unit[PROGRAMS + 1];
#define LOST PROGRAMS
/* The values after each number of changes. */
Values values[PROGRAMS + 1];
unsigned changes : 3;
byte knows[2];                 /* the number of changes that each daemon has received */
unsigned applied : 4;          /* the programs that have taken effect */
unsigned losses : 2 = LOSSES;
bit isReady;
Values trial;
bit isChanged;

/* Stops the search if a rule does not hold. The text is the last line of the trace. */
#define REQUIRE(condition, text) if :: condition :: else -> printf(text); assert(false) fi
#define ONCE "violated: a program takes effect at most once\n"
#define ANSWER "violated: the answer of a program is that at its position\n"
#define AGAIN "violated: a program runs again only after a change\n"
#define ENDS "violated: each program is answered\n"

#define BIT(p) (1 << (p))

inline clear(u) {
  unit[u].state = NONE; unit[u].first = 0; unit[u].isDouble = 0;
  unit[u].has[0] = 0; unit[u].has[1] = 0;
  unit[u].version[0] = 0; unit[u].version[1] = 0;
  unit[u].ranAt = 0; unit[u].decidedAt = 0
}

inline copyValues(number) {
  trial.at[0] = values[number].at[0];
  trial.at[1] = values[number].at[1]
}

inline clearTrial() {
  trial.at[0] = 0;
  trial.at[1] = 0
}

/* Versions are those before the programs that run together. */
#ifdef LATE_VERSIONS
#define VERSION(d, key) trial.at[key]
#else
#define VERSION(d, key) values[knows[d]].at[key]
#endif

inline touch(d, u, key) {
  unit[u].has[key] = 1;
  unit[u].version[key] = VERSION(d, key)
}

#ifdef ONLY_WRITTEN
#define touchRead(d, u, key) skip
#else
#define touchRead(d, u, key) touch(d, u, key)
#endif

/* Runs a program on the values that the one before it has left. */
inline execute(d, p) {
  program[p].state = RUNNING;
  program[p].answer = trial.at[program[p].reads];
  unit[p].state = PROPOSED;
  unit[p].first = p;
  unit[p].ranAt = knows[d];
  touchRead(d, p, program[p].reads);
  if
  :: program[p].answer == 0 ->
     touch(d, p, program[p].writes);
     trial.at[program[p].writes] = p + 1;
     program[p].hasWritten = 1
  :: else
  fi;
  printf("daemon %d runs program %d, which reads %d\n", d + 1, p + 1, program[p].answer)
}

/* A daemon runs programs when those before have ended, or have to run again. */
#define IS_FREE(p) (isReady && unit[p].state == NONE)

inline runOne(d, p, other) {
  d_step {
    IS_FREE(p) && IS_FREE(other) && program[p].state == WAITING && (p < other || program[other].state != WAITING) ->
    copyValues(knows[d]);
    execute(d, p);
    clearTrial()
  }
}

#define SHARE_KEYS(p) ((unit[p].has[0] && unit[p + 1].has[0]) || (unit[p].has[1] && unit[p + 1].has[1]))
#ifdef ALWAYS_APART
#define ARE_APART(p) (program[p].isAgain || program[p + 1].isAgain)
#else
#define ARE_APART(p) ((program[p].isAgain || program[p + 1].isAgain) && !SHARE_KEYS(p))
#endif

inline join(p, key) {
  if
  :: unit[p + 1].has[key] ->
     unit[p].has[key] = 1;
     unit[p].version[key] = unit[p + 1].version[key]
  :: else
  fi
}

/* Runs two programs. They are one unit, unless one of them has to run again and they share no keys. */
inline runTwo(d, p) {
  d_step {
    IS_FREE(p) && IS_FREE(p + 1) && program[p].state == WAITING && program[p + 1].state == WAITING ->
    copyValues(knows[d]);
    execute(d, p);
    execute(d, p + 1);
    clearTrial();
    if
    :: ARE_APART(p) -> printf("they are two units\n")
    :: else ->
       join(p, 0);
       join(p, 1);
       unit[p].isDouble = 1;
       clear(p + 1);
       printf("they are one unit\n")
    fi
  }
}

#define HOLDS(u, key) (!unit[u].has[key] || unit[u].version[key] == values[changes].at[key])

/* The answer of a run whose client was answered already reaches no client. */
#define IS_CORRECT(u, p) (u == LOST || program[p].answer == trial.at[program[p].reads])

inline takeEffect(u, p) {
  printf("program %d takes effect\n", p + 1);
  REQUIRE(!(applied & BIT(p)), ONCE);
  REQUIRE(IS_CORRECT(u, p), ANSWER);
  applied = applied | BIT(p);
  if
  :: program[p].hasWritten ->
     trial.at[program[p].writes] = p + 1;
     isChanged = 1
  :: else
  fi
}

inline takeEffects(u) {
  copyValues(changes);
  takeEffect(u, unit[u].first);
  if
  :: unit[u].isDouble -> takeEffect(u, unit[u].first + 1)
  :: else
  fi;
  if
  :: isChanged ->
     changes++;
     values[changes].at[0] = trial.at[0];
     values[changes].at[1] = trial.at[1]
  :: else
  fi;
  isChanged = 0;
  clearTrial()
}

inline decide(u) {
  d_step {
    unit[u].state == PROPOSED ->
    if
    :: HOLDS(u, 0) && HOLDS(u, 1) ->
       unit[u].state = APPLIED;
       takeEffects(u)
    :: else ->
       unit[u].state = UNMET;
       printf("the unit of program %d takes no effect\n", unit[u].first + 1);
       REQUIRE(changes > unit[u].ranAt, AGAIN)
    fi;
    unit[u].decidedAt = changes;
    if
    :: u == LOST -> clear(u)
    :: else
    fi
  }
}

inline receive(d) {
  d_step {
    knows[d] < changes ->
    knows[d] = knows[d] + 1;
    printf("daemon %d receives change %d\n", d + 1, knows[d])
  }
}

inline answerTo(p) {
  program[p].state = ANSWERED;
  printf("program %d is answered\n", p + 1);
  REQUIRE(applied & BIT(p), ANSWER)
}

inline runAgain(p) {
  program[p].state = WAITING;
  program[p].isAgain = 1;
  program[p].answer = 0;
  program[p].hasWritten = 0
}

#ifdef ANSWERS_READS
#define HAS_ANSWER(u, p) (unit[u].state == APPLIED || !program[p].hasWritten)
#else
#define HAS_ANSWER(u, p) (unit[u].state == APPLIED)
#endif

inline settle(u, p) {
  if
  :: HAS_ANSWER(u, p) -> answerTo(p)
  :: else -> runAgain(p)
  fi
}

/* The daemon has the decision, and each change before it. */
inline settleUnit(d, u) {
  d_step {
    (unit[u].state == APPLIED || unit[u].state == UNMET) && knows[d] >= unit[u].decidedAt ->
    if
    :: unit[u].isDouble -> settle(u, u + 1)
    :: else
    fi;
    settle(u, u);
    clear(u)
  }
}

#ifdef AGAIN_IF_UNKNOWN
#define leave(p) runAgain(p)
#else
#define leave(p) program[p].state = UNKNOWN
#endif

/* The daemon no longer waits. The members may decide on the unit later, or never. */
inline lose(d, u) {
  d_step {
    losses > 0 && unit[u].state != NONE ->
    losses--;
    printf("daemon %d no longer waits for the decision on the unit of program %d\n", d + 1, u + 1);
    if
    :: unit[u].state == PROPOSED ->
       unit[LOST].state = PROPOSED; unit[LOST].first = u; unit[LOST].isDouble = unit[u].isDouble;
       unit[LOST].has[0] = unit[u].has[0]; unit[LOST].has[1] = unit[u].has[1];
       unit[LOST].version[0] = unit[u].version[0]; unit[LOST].version[1] = unit[u].version[1];
       unit[LOST].ranAt = unit[u].ranAt
    :: else
    fi;
    if
    :: unit[u].isDouble -> leave(u + 1)
    :: else
    fi;
    leave(u);
    clear(u)
  }
}

#define STEPS_OF(d, p, other) :: runOne(d, p, other) :: settleUnit(d, p) :: lose(d, p)

active proctype daemon1() {
end:
  do
  STEPS_OF(0, 0, 1)
  STEPS_OF(0, 1, 0)
  :: runTwo(0, 0)
  :: receive(0)
  od
}

active proctype daemon2() {
end:
  do
  STEPS_OF(1, 2, 3)
  STEPS_OF(1, 3, 2)
  :: runTwo(1, 2)
  :: receive(1)
  od
}

#define HAS_ENDED(p) (program[p].state == ANSWERED || program[p].state == UNKNOWN)
#define ALL_HAVE_ENDED (HAS_ENDED(0) && HAS_ENDED(1) && HAS_ENDED(2) && HAS_ENDED(3))

/* Chooses the keys of the programs. Then the members decide on units, one after the other. */
active proctype members() {
  byte i;
  atomic {
    do
    :: i < PROGRAMS ->
       if
       :: program[i].reads = 0
       :: program[i].reads = 1
       fi;
       if
       :: program[i].writes = 0
       :: program[i].writes = 1
       fi;
       printf("program %d reads key %d, and writes key %d\n", i + 1, program[i].reads + 1, program[i].writes + 1);
       i++
    :: else -> break
    od;
    i = 0;
    isReady = 1
  };
end:
  do
  :: decide(0)
  :: decide(1)
  :: decide(2)
  :: decide(3)
  :: decide(LOST)
  od
}

active proctype observer() {
end:
  timeout ->
  REQUIRE(ALL_HAVE_ENDED, ENDS)
}
