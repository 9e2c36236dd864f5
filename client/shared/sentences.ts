/** The sentences about errors: codes of failed calls, and stages at which a daemon can fail, with what to do about each. */

/** The reasons why a call failed as a whole. The code is for programs, the sentence for people. */
export const CODES = {
  "bad-command": "The command cannot be sent",
  "bad-option": "An option cannot be used",
  "bad-config": "The configuration file cannot be used",
  "bad-key": "The signing key cannot be used",
  "all-failed": "No daemon answered",
  reply: "The command failed",
  refused: "No daemon took the command",
  "answers-differ": "The daemons' answers differ",
  "clocks-differ": "Only daemons whose clocks differ from the remaining ones answered, and found nothing",
  "not-all-answered": "Not every daemon answered, as the policy requires",
  "too-few-answers": "Fewer daemons answered than the policy requires",
  "late-answers": "Too few daemons agree, as it reached the remaining ones after later commands on its keys",
  "clusters-differ": "The servers belong to different clusters",
  busy: "Too many commands wait in this client",
  "too-many-clients": "Too many sets of options are in use at a time",
  closed: "The client was closed",
  reset: "The call was cut off by a reset",
} as const;

/**
 * The sentence of both stages. A fallback to version 1 sends what can be replayed permanently, so the user has to
 * allow it.
 */
const ALLOW_VERSION_1 =
  'if an older daemon is there on purpose, allow version 1: versions: "1" in the options, DBSYNC_VERSIONS=1, ' +
  "dbsync.versions = 1 in dbsync.ini, --versions 1, or dbsync1:// before its address (1,2: as each daemon can)";

/** The steps at which one daemon can fail, with their meaning and what to do. */
export const STAGES = {
  dns: { meaning: "the host name was not resolved", cure: "check its spelling and this machine's DNS" },
  connect: { meaning: "no connection", cure: "is dbsyncd running there?" },
  tls: {
    meaning: "no trusted encrypted connection",
    cure: "compare its entry in the list (dbsyncs://, #sha256:…) and the option ca with what that daemon prints at its start",
  },
  send: { meaning: "the connection broke while the command was being sent", cure: "see that daemon's log" },
  "no-reason": {
    meaning: "closed without an answer",
    cure: "version 1 cannot say why: wrong key or none, command error or backend; see that daemon's log",
  },
  timeout: {
    meaning: "no answer in time",
    cure: "is it stopped, overloaded or unsigned? see that daemon's log",
  },
  "not-awaited": {
    meaning: "the call had failed before it answered",
    cure: "see what the other daemons reported",
  },
  garbage: { meaning: "the answer is not dbsync's", cure: "is it really dbsyncd that listens there?" },
  busy: {
    meaning: "its queue in this client is full",
    cure: "send fewer commands at a time, or find out why it is slow",
  },
  reply: { meaning: "the command failed there", cure: "the text is the daemon's, correct the command" },
  refused: { meaning: "the daemon refused it", cure: "docs/protocol-v2.md, Refusals, says what to do" },
  lost: { meaning: "the connection was lost before the answer", cure: "see that daemon's log" },
  version: {
    meaning:
      "it closes on version 2's hello: it speaks version 1 only, has no room, or somebody hides version 2 from you",
    cure: `is that dbsyncd's port? ${ALLOW_VERSION_1}`,
  },
  "version-1": {
    meaning: "that daemon is sent version 1, which cannot carry this",
    cure: "update it and let it have version 2 (versions), or send what version 1 can carry",
  },
  downgrade: {
    meaning: "it has spoken version 2 before and closes on it now",
    cure: "find out what listens there; if an older daemon is there on purpose, allow version 1 (versions) and start this program again",
  },
  "wrong-cluster": {
    meaning: "that daemon belongs to another cluster",
    cure: "correct the list of servers, or the option cluster",
  },
  closed: { meaning: "the client was closed first", cure: "close it after the last answer" },
} as const;
