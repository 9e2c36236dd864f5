/** Starts three members of etcd, each in a separate process, and writes to one of them. */
import { type ChildProcess, spawn } from "node:child_process";
import { connect as connectHttp2 } from "node:http2";
import { join } from "node:path";
import { kill, killedAtExit } from "../test/support/child-process.js";
import { freePort } from "../test/support/free-port.js";
import { started } from "./servers.js";

const MEMBERS = 3;

export interface Etcd extends AsyncDisposable {
  readonly servers: readonly ChildProcess[];
  /** The index of the server that was the leader when the cluster had started. */
  readonly leader: number;
  /** Opens a connection to a server. All calls share it. */
  open(server: number): EtcdClient;
}

export interface EtcdClient extends Disposable {
  /** Writes a key. Resolves when the servers have acknowledged the write. */
  put(key: string, value: string): Promise<void>;
  /** Writes a key that does not exist. @returns whether it did not exist */
  create(key: string, value: string): Promise<boolean>;
  /** Reads a key, and writes it if it has not been written since. @returns whether it has not */
  update(key: string, value: string): Promise<boolean>;
}

/** @param folder  the folder for the data of all members */
export async function startEtcd(folder: string): Promise<Etcd> {
  const address = async () => `http://127.0.0.1:${await freePort()}`;
  const members = await Promise.all(
    Array.from({ length: MEMBERS }, async (_, i) => ({
      name: `m${i}`,
      client: await address(),
      peer: await address(),
    })),
  );
  const all = members.map(({ name, peer }) => `${name}=${peer}`).join();
  const servers = members.map(({ name, client, peer }) => {
    const location = ["--name", name, "--data-dir", join(folder, name), "--initial-cluster", all];
    const forClients = ["--listen-client-urls", client, "--advertise-client-urls", client];
    const forPeers = ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer];
    return killedAtExit(spawn("etcd", [...location, ...forClients, ...forPeers], { stdio: "ignore" }));
  });
  const leader = await started(async () => {
    for (const [index, { client }] of members.entries()) {
      const answer = await fetch(`${client}/v3/maintenance/status`, { method: "POST", body: "{}" });
      const { header, leader } = (await answer.json()) as { header: { member_id: string }; leader?: string };
      if (header.member_id === leader) return index;
    }
    return undefined;
  });
  return {
    servers,
    leader,
    open: (server) => openClient(members[server]?.client ?? ""),
    async [Symbol.asyncDispose]() {
      await Promise.all(servers.map(kill));
    },
  };
}

/** Opens a connection that speaks gRPC. */
function openClient(address: string): EtcdClient {
  const session = connectHttp2(address);
  const call = (method: string, request: Buffer): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      const head = { ":method": "POST", ":path": `/etcdserverpb.KV/${method}`, te: "trailers" };
      const stream = session.request({ ...head, "content-type": "application/grpc" });
      const answer: Buffer[] = [];
      let status: unknown;
      stream.on("data", (chunk: Buffer) => answer.push(chunk));
      stream.once("trailers", (trailers) => (status = trailers["grpc-status"]));
      stream.once("error", reject);
      stream.once("close", () =>
        status === "0" ? resolve(Buffer.concat(answer)) : reject(new Error(`etcd: grpc-status ${status}`)),
      );
      stream.end(grpcMessage(request));
    });
  return {
    put: async (key, value) => void (await call("Put", putRequest(key, value))),
    create: async (key, value) => hasSucceeded(await call("Txn", createRequest(key, value))),
    update: async (key, value) => {
      const revision = revisionIn(await call("Range", field(1, Buffer.from(key))));
      return hasSucceeded(await call("Txn", updateRequest(key, value, revision)));
    },
    [Symbol.dispose]: () => session.destroy(),
  };
}

/** Returns a length-delimited field of a protobuf message. @param value  shorter than 128 bytes */
const field = (number: number, value: Buffer): Buffer =>
  Buffer.concat([Buffer.from([(number << 3) | 2, value.length]), value]);

/** Returns etcd's PutRequest: field 1 is the key, field 2 the value. */
const putRequest = (key: string, value: string): Buffer =>
  Buffer.concat([field(1, Buffer.from(key)), field(2, Buffer.from(value))]);

/**
 * Returns etcd's TxnRequest that puts a key if it does not exist: field 1 is a Compare (target 1, the revision of the
 * key's creation, in field 2; key in field 3; revision 0 in field 5), field 2 a RequestOp with a PutRequest in field 2.
 */
function createRequest(key: string, value: string): Buffer {
  const compare = [Buffer.from([0x10, 1]), field(3, Buffer.from(key)), Buffer.from([0x28, 0])];
  return Buffer.concat([field(1, Buffer.concat(compare)), field(2, field(2, putRequest(key, value)))]);
}

/**
 * Returns etcd's TxnRequest that puts a key if its last write has a revision (target 2, in field 6), as in
 * `createRequest`. @param revision  the bytes of a varint
 */
function updateRequest(key: string, value: string, revision: Buffer): Buffer {
  const head = Buffer.from([0x10, 2]);
  const compare = [head, field(3, Buffer.from(key)), Buffer.from([0x30]), revision];
  return Buffer.concat([field(1, Buffer.concat(compare)), field(2, field(2, putRequest(key, value)))]);
}

/**
 * Returns the varint of the last write of the first key in a RangeResponse: after the header (field 1), field 2 is a
 * KeyValue, of which field 3 is the revision, after the key (field 1) and the first revision (field 2).
 */
function revisionIn(answer: Buffer): Buffer {
  const message = answer.subarray(GRPC_HEAD_BYTES);
  const after = 2 + (message[1] ?? 0);
  if (message[after] !== 0x12) return Buffer.from([0]);
  let offset = after + 2;
  offset += 2 + (message[offset + 1] ?? 0);
  offset = endOfVarint(message, offset + 1);
  return message.subarray(offset + 1, endOfVarint(message, offset + 1));
}

/** Returns the offset after a varint: each of its bytes but the last one has the highest bit. */
function endOfVarint(bytes: Buffer, start: number): number {
  let end = start;
  while ((bytes[end] ?? 0) >= 0x80) end++;
  return end + 1;
}

/** The length of the head of a gRPC message: one byte for compression, four for the length. */
const GRPC_HEAD_BYTES = 5;

/** Whether the comparison of a TxnResponse held: after the header (field 1), field 2 is 1. */
function hasSucceeded(answer: Buffer): boolean {
  const message = answer.subarray(GRPC_HEAD_BYTES);
  const after = 2 + (message[1] ?? 0);
  return message[after] === 0x10 && message[after + 1] === 1;
}

function grpcMessage(body: Buffer): Buffer {
  const head = Buffer.alloc(GRPC_HEAD_BYTES);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}
