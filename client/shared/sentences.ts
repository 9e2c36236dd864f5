/** The sentences for the codes of failed calls, and for the stages at which a daemon can fail, with their remedies. */

/** The detail of the error of a call to a closed client. */
export const AFTER_CLOSE = "it accepts no more commands: close it after the last command";

/** The reasons why a call failed. The code is for programs, the sentence for people. */
export const CODES = {
  "bad-command": "The command cannot be sent",
  "bad-option": "An option cannot be used",
  "bad-config": "The configuration file cannot be used",
  "bad-key": "The signing key cannot be used",
  "all-failed": "No daemon answered",
  reply: "The command failed",
  refused: "No daemon accepted the command",
  "answers-differ": "The daemons' answers differ",
  "clocks-differ": "Only daemons whose clocks differ from the remaining ones answered, with nil",
  "not-all-answered": "Not every daemon answered, as the policy requires",
  "too-few-answers": "Fewer daemons answered than the policy requires",
  "late-answers":
    "Too few daemons agree, because the others received the command after later commands on its keys",
  "clusters-differ": "The servers belong to different clusters",
  busy: "Too many commands are waiting in this client",
  "too-many-clients": "Too many sets of options are in use at the same time",
  aborted: "The call was aborted",
  closed: "The client was closed",
  reset: "The call was interrupted by a reset",
} as const;

/**
 * The remedy for the stages `version` and `downgrade`. Version 1 commands can be replayed at any time, so the user must
 * explicitly allow a fallback to version 1.
 */
const ALLOW_VERSION_1 =
  'if the daemon of php-dbsync runs there on purpose, allow version 1: versions: "1" in the options, DBSYNC_VERSIONS=1, ' +
  "dbsync.versions = 1 in dbsync.ini, --versions 1, or dbsync1:// before its address (1,2: what each daemon supports)";

/** The stages at which a daemon can fail, with their meanings and remedies. */
export const STAGES = {
  dns: { meaning: "the host name was not resolved", cure: "check its spelling and this machine's DNS" },
  connect: { meaning: "no connection", cure: "is dbsyncd running there?" },
  tls: {
    meaning: "no trusted encrypted connection",
    cure: "compare its entry in the list (dbsyncs://, #sha256:…) and the option ca with what the daemon logs when it starts",
  },
  send: { meaning: "the connection broke while the command was being sent", cure: "see that daemon's log" },
  "no-reason": {
    meaning: "closed without an answer",
    cure: "version 1 cannot report the reason: a wrong or missing key, a command error or a backend error; see that daemon's log",
  },
  timeout: {
    meaning: "no answer in time",
    cure: "it may be suspended or overloaded, or started without a key (-s): see that daemon's log",
  },
  "not-awaited": {
    meaning: "the call had failed before it answered",
    cure: "see the reports of the other daemons",
  },
  garbage: { meaning: "the answer is not a dbsync message", cure: "does dbsyncd listen on this port?" },
  busy: {
    meaning: "its queue in this client is full",
    cure: "send fewer commands at a time, or find out why it is slow",
  },
  reply: { meaning: "the command failed there", cure: "the daemon's text says why; correct the command" },
  refused: { meaning: "the daemon refused it", cure: "its text says what to do" },
  lost: { meaning: "the connection was lost before the answer", cure: "see that daemon's log" },
  version: {
    meaning:
      "it closes the connection after version 2's hello: it speaks only version 1, is at its connection limit, or an attacker hides version 2",
    cure: `is that dbsyncd's port? ${ALLOW_VERSION_1}`,
  },
  "version-1": {
    meaning: "this client speaks version 1 with that daemon, and version 1 does not support this call",
    cure: "update the daemon and allow version 2 (versions), or send only calls that version 1 supports",
  },
  downgrade: {
    meaning: "it has spoken version 2 before, and now closes the connection after version 2's hello",
    cure: "find out which program listens there; if the daemon of php-dbsync runs there on purpose, allow version 1 (versions) and restart this program",
  },
  "wrong-cluster": {
    meaning: "that daemon belongs to another cluster",
    cure: "correct the list of servers, or the option cluster",
  },
  closed: { meaning: "the client was closed first", cure: "close it after the last answer" },
} as const;

/** Returns the warning about a cluster that an attacker could have named. */
export const unprotectedCluster = (server: string, cluster: string): string =>
  `the servers named their cluster over an unprotected connection: an attacker between here and ${server} could have ` +
  `answered; configure it with the option cluster or DBSYNC_CLUSTER: ${cluster}`;
