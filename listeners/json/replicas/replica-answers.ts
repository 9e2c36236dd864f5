/** What daemons of --json-replica ask this one, a row for each thing. Source: docs/json-documents.md "Fleets". */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { ErrorReply, Reply } from "../../../protocol/reply.js";
import { ERROR_HEAD, failure, sentenceOf, success } from "../messages/answers.js";
import { JsonRequest } from "../messages/request.js";
import type { DocumentStore, Entry } from "./document-store.js";
import type { Claim, DoneWrite } from "./fleet.js";
import {
  answered,
  claimIn,
  contentsMembers,
  countsIn,
  entriesIn,
  type Leader,
  levelIn,
  meetingMembers,
  numberIn,
  textIn,
  textsIn,
  writeIn,
} from "./fleet-messages.js";
import { documentOf, type JsonReplicas } from "./replicas.js";
import { type Caller, callerIn } from "./vouching.js";

export interface ReplicaAnswersHost {
  readonly store: DocumentStore;
  /** null: it has no list. */
  readonly replicas: JsonReplicas | null;
  /** Whether nothing more may be kept. */
  readonly isFull: boolean;
  /** Bytes of a document that may come in parts. */
  readonly maxBytes: number;
  /** Why the user may not do a command; null: he may. */
  refusal(argv: readonly ByteString[]): ErrorReply | null;
  /** Does what a client of another daemon asks for. */
  serve(request: JsonRequest, from: Pick<DoneWrite, "by" | "number">): string | Promise<string>;
  /** Something was refused, which another server will hardly look at. */
  refused(does: string, answer: string): void;
}

type Answer = string | Promise<string>;

const OUT_OF_MEMORY = "No memory is left for more data.";
const TOO_LONG = "The document is longer than this server takes in parts (--max-output-bytes).";
const NO_MEMBER = failure(
  "Only a server of --json-replica may say this: none of the list here says that the connection is its own.",
  ["isMember", "false"],
);
const OTHER_LEADER_HEAD = `${ERROR_HEAD},"claim":`;

export class ReplicaAnswers {
  readonly #host: ReplicaAnswersHost;
  /** Who says that the connection is his; null: nobody has. */
  #caller: Caller | null = null;
  #isProven = false;
  /** Entries that have come of the document that is to be put; null: more than may. */
  #entries: Entry[] | null = [];
  #entryBytes = 0;

  constructor(host: ReplicaAnswersHost) {
    this.#host = host;
  }

  to(request: JsonRequest): Answer {
    const does = request.get("does");
    const row = typeof does === "string" ? rows.get(does) : undefined;
    if (row === undefined) return failure(`A replica does one of: ${[...rows.keys()].join(", ")}.`);
    const run = (): Answer => {
      try {
        return row(this, request);
      } catch (problem) {
        return failure(problem instanceof Error ? problem.message : String(problem));
      }
    };
    const told = (answer: string) => {
      const isRefused = answer.startsWith(ERROR_HEAD) && !answer.startsWith(OTHER_LEADER_HEAD);
      if (isRefused) this.#host.refused(does as string, answer);
      return answer;
    };
    if (does === "meet") this.#name(request);
    const isOrder = ORDERS.has(does as string) || request.get("leader") !== undefined;
    const answer = isOrder && !this.#isProven && this.#caller !== null ? this.#proving().then(run) : run();
    return answer instanceof Promise ? answer.then(told) : told(answer);
  }

  get host(): ReplicaAnswersHost {
    return this.#host;
  }

  /** The daemon of the list whose connection it is; null: none is known. */
  get member(): string | null {
    return this.#isProven ? (this.#caller as Caller).id : null;
  }

  /** Of the entries that have come of a document. */
  get heldBytes(): number {
    return this.#entryBytes;
  }

  /** @returns an error's answer if there are too many; null: they are kept until all have come */
  hold(entries: readonly Entry[]): string | null {
    for (const { key, text } of entries) this.#entryBytes += ENTRY_BYTES + key.length + text.length;
    if (this.#entryBytes > this.#host.maxBytes) {
      this.#entries = null;
      this.#entryBytes = 0;
    }
    if (this.#entries === null) return failure(TOO_LONG);
    for (const entry of entries) this.#entries.push(entry);
    return null;
  }

  /** All that has come, once; null: it was too much. */
  release(): Entry[] | null {
    const entries = this.#entries;
    this.#entries = [];
    this.#entryBytes = 0;
    return entries;
  }

  /** @returns an error's answer if somebody else leads, or who says so is none of the list; null: it may go on */
  refusal(request: JsonRequest): string | null {
    const { replicas } = this.#host;
    const leader = request.get("leader");
    if (leader === undefined || replicas === null) return null;
    const { claim } = replicas.fleet;
    const asking = { id: textIn(leader), term: numberIn(request.get("term")) };
    if (this.member !== asking.id) return NO_MEMBER;
    return isFollowed(claim, asking) ? null : otherLeader(claim);
  }

  /** Whoever names himself anew is to prove it anew. */
  #name(request: JsonRequest): void {
    const [id, mark] = [request.get("id"), request.get("mark")];
    const isSame = id === this.#caller?.id && mark === this.#caller?.mark;
    if (isSame) return;
    this.#isProven = false;
    this.#caller = callerIn(id, mark);
  }

  async #proving(): Promise<void> {
    this.#isProven = (await this.#host.replicas?.isMember(this.#caller as Caller)) ?? false;
  }
}

/** What an entry takes beside its key and text, roughly. */
const ENTRY_BYTES = 64;
/** What counts from those of the list alone. */
const ORDERS: ReadonlySet<string> = new Set(["meet", "begin", "level", "submit"]);

type Row = (answers: ReplicaAnswers, request: JsonRequest) => Answer;

const rowsByName = {
  meet({ host: { replicas }, member }, request) {
    if (replicas === null) return success();
    const meeting = {
      id: textIn(request.get("id")),
      claim: claimIn(request.get("claim")),
      counts: countsIn(request.get("counts")),
    };
    const { id, claim, counts, ...met } = replicas.meet(meeting, member !== null);
    return answered({ ...meetingMembers({ id, claim, counts }), ...met });
  },

  vouch({ host: { replicas } }, request) {
    if (replicas === null) return success();
    return answered({ id: replicas.fleet.id, isMine: replicas.vouches(textIn(request.get("mark"))) });
  },

  figures: ({ host: { replicas } }) => (replicas === null ? success() : answered(replicas.figures)),

  list: ({ host: { store } }) => answered({ names: store.names }),

  digest: ({ host: { store } }, request) => answered({ digest: store.digestOf(nameOf(request)) }),

  contents({ host: { store } }, request) {
    const whole = store.contentsOf(nameOf(request));
    return whole === null ? success() : answered(contentsMembers(whole));
  },

  lead({ host: { replicas }, member }, request) {
    if (replicas === null) return success();
    if (member === null) return NO_MEMBER;
    const leader = { id: textIn(request.get("leader")), term: numberIn(request.get("term")) };
    return replicas.takeLead(leader) ? success() : otherLeader(replicas.fleet.claim);
  },

  begin({ host: { replicas }, member }, request) {
    if (replicas === null) return success();
    const claim = claimIn(request.get("claim"));
    if (member !== claim.id) return NO_MEMBER;
    const { fleet } = replicas;
    // One that follows another one has first to hand over what it did for that one: it does when it is met.
    if (fleet.claim.id === claim.id) replicas.learn(claim);
    if (!isFollowed(fleet.claim, claim)) return otherLeader(fleet.claim);
    fleet.unlevel();
    return success();
  },

  level(answers, request) {
    const refusal = answers.refusal(request);
    if (refusal !== null) return refusal;
    answers.host.replicas?.fleet.level(levelIn({ get: (name) => request.get(name) }));
    return success();
  },

  apply(answers, request) {
    const refusal = answers.refusal(request);
    if (refusal !== null) return refusal;
    const { store, replicas, isFull } = answers.host;
    const argv = textsIn(request.get("argv"));
    const fleet = request.get("leader") === undefined ? undefined : replicas?.fleet;
    // Who has missed a write must not seem to have it because of those behind it.
    if (fleet !== undefined && !fleet.isNext(numberIn(request.get("place")))) return otherLeader(fleet.claim);
    const isRefused = isFull && argv.length > 0 && !FREEING.has((argv[0] as string).toUpperCase());
    const now = numberIn(request.get("now"));
    const reply =
      isRefused || argv.length === 0 ? null : (answers.host.refusal(argv) ?? store.apply(argv, now));
    const answer = isRefused ? failure(OUT_OF_MEMORY) : done(reply);
    if (fleet !== undefined && answer.startsWith(ERROR_HEAD)) replicas?.refuse(documentOf(argv), answer);
    // What is refused is sent as a whole.
    fleet?.record(writeIn({ get: (name) => request.get(name) }), numberIn(request.get("place")));
    return answer;
  },

  part(answers, request) {
    return answers.hold(entriesIn(request.get("entries"))) ?? success();
  },

  put(answers, request) {
    const refusal = answers.refusal(request);
    const isGone = request.get("entries") === undefined;
    if (!isGone) answers.hold(entriesIn(request.get("entries")));
    const entries = answers.release();
    if (refusal !== null) return refusal;
    const { host } = answers;
    const { store, isFull, replicas } = host;
    const name = nameOf(request);
    const put = (): string => {
      if (entries === null) return failure(TOO_LONG);
      const denied = host.refusal(["DOC.DROP", name]) ?? host.refusal(["DOC.INSERT", name]);
      if (denied !== null) return done(denied);
      if (isFull && entries.length > 0) return failure(OUT_OF_MEMORY);
      const whole = isGone ? null : { entries, indexes: textsIn(request.get("indexes")) };
      return done(store.replace(name, whole, request.get("isNew") === true));
    };
    const answer = put();
    if (request.get("leader") === undefined) return answer;
    if (answer.startsWith(ERROR_HEAD)) replicas?.refuse(name, answer);
    else replicas?.fleet.settle(name);
    return answer;
  },

  submit(answers, request) {
    const { replicas } = answers.host;
    if (replicas === null) return failure("This daemon has no --json-replica.");
    const { fleet } = replicas;
    if (!fleet.leads) return otherLeader(fleet.claim);
    const from = { by: textIn(request.get("by")), number: numberIn(request.get("number")) };
    if (answers.member !== from.by) return NO_MEMBER;
    if (request.get("again") === true && fleet.has(from.by, from.number))
      return answered({ place: fleet.place });
    const serve = () => answers.host.serve(new JsonRequest("", request.get("request") ?? null), from);
    const answer = replicas.isReady
      ? serve()
      : replicas.whenReady().then((isReady) => (isReady ? serve() : failure(replicas.notReady)));
    const told = (text: string) => answered({ place: fleet.place, answer: text });
    return answer instanceof Promise ? answer.then(told) : told(answer);
  },
} satisfies Record<string, Row>;

const rows: ReadonlyMap<string, Row> = new Map(Object.entries(rowsByName));

const isFollowed = (claim: Claim, { id, term }: Leader) => claim.id === id && claim.term === term;

const otherLeader = (claim: Claim) =>
  failure("Another daemon orders the writes.", ["claim", JSON.stringify(claim)]);

/** They need no memory. */
const FREEING: ReadonlySet<string> = new Set(["DOC.DELETE", "DOC.DROP", "DOC.EMPTY", "DOC.INDEX"]);

const nameOf = (request: JsonRequest): ByteString => textIn(request.get("name"));

function done(reply: Reply | null): string {
  return reply?.kind === "error" ? failure(sentenceOf(reply)) : success();
}
