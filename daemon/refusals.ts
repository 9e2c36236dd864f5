/**
 * Every reason for which the daemon does not answer a request: code → sentence. Version 1 cannot say them;
 * the log does.
 */

export const REFUSALS = {
  malformed: "The bytes are no frame of version 1.",
  "frame-unfinished": "The client stopped sending in the middle of a frame.",
  unsigned:
    "The command is not signed, and this daemon takes signed ones only: give the client the private key.",
  "not-due": "The command is signed, and this daemon has no key: start it with -s public.pem.",
  "bad-signature":
    "The signature belongs to none of this daemon's keys, or the command was changed on its way.",
  "empty-command": "The command is empty.",
  "too-many-arguments": "The command has more arguments than any command needs.",
  "not-carried": "The command needs a connection of its own, which dbsync does not keep for a client.",
  "command-error": "A database answered with an error.",
  "database-down": "A database cannot be reached; the command was not sent to it.",
  "database-lost": "The connection to a database broke; whether it executed the command is not known.",
  "database-timeout":
    "A database did not answer in time (--backend-timeout); whether it executed the command is not known.",
  "answer-too-long": "The answer is longer than --max-output-bytes.",
  idle: "No whole request came within --idle-timeout.",
  "output-stuck": "The client took none of its answer for --idle-timeout.",
  "too-many-connections": "--max-connections clients are connected.",
  "too-much-buffered": "All clients together are above --max-buffered-bytes, and this one holds most.",
} as const satisfies Record<string, string>;

export type RefusalCode = keyof typeof REFUSALS;
