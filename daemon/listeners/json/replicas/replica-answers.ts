/** What daemons of --json-replica ask this one, a row for each thing. Source: docs/json-documents.md "Fleets". */
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Reply } from "../../../../protocol/reply.js";
import { failure, sentenceOf, success } from "../messages/answers.js";
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
import type { JsonReplicas } from "./replicas.js";

export interface ReplicaAnswersHost {
  readonly store: DocumentStore;
  /** null: it has no list. */
  readonly replicas: JsonReplicas | null;
  /** Whether nothing more may be kept. */
  readonly isFull: boolean;
  /** Does what a client of another daemon asks for. */
  serve(request: JsonRequest, from: Pick<DoneWrite, "by" | "number">): string | Promise<string>;
}

type Answer = string | Promise<string>;

const OUT_OF_MEMORY = "No memory is left for more data.";

export class ReplicaAnswers {
  readonly #host: ReplicaAnswersHost;
  /** Entries that have come of the document that is to be put. */
  #entries: Entry[] = [];

  constructor(host: ReplicaAnswersHost) {
    this.#host = host;
  }

  to(request: JsonRequest): Answer {
    const row = rows[String(request.get("does")) as keyof typeof rows] as Row | undefined;
    if (row === undefined) return failure(`A replica does one of: ${Object.keys(rows).join(", ")}.`);
    try {
      return row(this, request);
    } catch (problem) {
      return failure(problem instanceof Error ? problem.message : String(problem));
    }
  }

  get host(): ReplicaAnswersHost {
    return this.#host;
  }

  hold(entries: readonly Entry[]): void {
    for (const entry of entries) this.#entries.push(entry);
  }

  /** All that has come, once. */
  release(): Entry[] {
    const entries = this.#entries;
    this.#entries = [];
    return entries;
  }

  /** @returns an error's answer if somebody else leads; null: it may go on */
  refusal(request: JsonRequest): string | null {
    const { replicas } = this.#host;
    const leader = request.get("leader");
    if (leader === undefined || replicas === null) return null;
    const { claim } = replicas.fleet;
    const asking = { id: textIn(leader), term: numberIn(request.get("term")) };
    return isFollowed(claim, asking) ? null : otherLeader(claim);
  }
}

type Row = (answers: ReplicaAnswers, request: JsonRequest) => Answer;

const rows = {
  meet({ host: { replicas } }, request) {
    if (replicas === null) return success();
    const { isListed, writes, hasForgotten, isLevel, ...meeting } = replicas.meet({
      id: textIn(request.get("id")),
      claim: claimIn(request.get("claim")),
      counts: countsIn(request.get("counts")),
    });
    return answered({ ...meetingMembers(meeting), isListed, writes, hasForgotten, isLevel });
  },

  list: ({ host: { store } }) => answered({ names: store.names }),

  digest: ({ host: { store } }, request) => answered({ digest: store.digestOf(nameOf(request)) }),

  contents({ host: { store } }, request) {
    const whole = store.contentsOf(nameOf(request));
    return whole === null ? success() : answered(contentsMembers(whole));
  },

  begin({ host: { replicas } }, request) {
    if (replicas === null) return success();
    const claim = claimIn(request.get("claim"));
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
    const isRefused = isFull && argv.length > 0 && !FREEING.has(argv[0] ?? "");
    const reply = isRefused || argv.length === 0 ? null : store.run(argv, numberIn(request.get("now")));
    // What is refused is sent as a whole.
    fleet?.record(writeIn({ get: (name) => request.get(name) }), numberIn(request.get("place")));
    return isRefused ? failure(OUT_OF_MEMORY) : done(reply);
  },

  part(answers, request) {
    answers.hold(entriesIn(request.get("entries")));
    return success();
  },

  put(answers, request) {
    const refusal = answers.refusal(request);
    const isGone = request.get("entries") === undefined;
    if (!isGone) answers.hold(entriesIn(request.get("entries")));
    const entries = answers.release();
    if (refusal !== null) return refusal;
    const { store, isFull } = answers.host;
    if (isFull && entries.length > 0) return failure(OUT_OF_MEMORY);
    const whole = isGone ? null : { entries, indexes: textsIn(request.get("indexes")) };
    return done(store.replace(nameOf(request), whole, request.get("isNew") === true));
  },

  submit(answers, request) {
    const { replicas } = answers.host;
    if (replicas === null) return failure("This daemon has no --json-replica.");
    const { fleet } = replicas;
    if (!fleet.leads) return otherLeader(fleet.claim);
    const from = { by: textIn(request.get("by")), number: numberIn(request.get("number")) };
    if (request.get("again") === true && fleet.has(from.by, from.number))
      return answered({ place: fleet.place });
    const answer = answers.host.serve(new JsonRequest("", request.get("request") ?? null), from);
    const told = (text: string) => answered({ place: fleet.place, answer: text });
    return answer instanceof Promise ? answer.then(told) : told(answer);
  },
} satisfies Record<string, Row>;

const isFollowed = (claim: Claim, { id, term }: Leader) => claim.id === id && claim.term === term;

const otherLeader = (claim: Claim) =>
  failure("Another daemon orders the writes.", ["claim", JSON.stringify(claim)]);

/** They need no memory. */
const FREEING: ReadonlySet<string> = new Set(["DOC.DELETE", "DOC.DROP", "DOC.EMPTY", "DOC.INDEX"]);

const nameOf = (request: JsonRequest): ByteString => textIn(request.get("name"));

function done(reply: Reply | null): string {
  return reply?.kind === "error" ? failure(sentenceOf(reply)) : success();
}
