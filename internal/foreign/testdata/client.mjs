// A client that knows nothing of Concord but its documents: NATS subjects, JSON bodies, error headers.
// Usage: node client.mjs <server> <records.jsonl> <collection prefix of an earlier import>
import { connect } from "@nats-io/transport-node";
import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";

const [server, file, imported] = process.argv.slice(2);
const nc = await connect({ servers: server });
const text = new TextEncoder(), untext = new TextDecoder();
const records = readFileSync(file, "utf8").trim().split("\n").map((line) => JSON.parse(line));

async function ask(operation, id, body) {
  const subject = `concord.v1.${operation}.main${id ? "." + id : ""}`;
  const reply = await nc.request(subject, body === undefined ? new Uint8Array() : text.encode(JSON.stringify(body)), { timeout: 10_000 });
  const code = reply.headers?.get("Nats-Service-Error-Code");
  if (code) throw new Error(`${subject}: ${code} ${untext.decode(reply.data)}`);
  return JSON.parse(untext.decode(reply.data));
}

async function readAll(id) {
  const documents = {};
  for (let cursor; ; ) {
    const page = await ask("collection.get", id, cursor ? { cursor } : {});
    Object.assign(documents, page.documents);
    if (!(cursor = page.next)) return documents;
  }
}

function compare(what, stored) {
  const wanted = new Map(records.map((r) => [r.id, r.record]));
  let equal = 0;
  for (const [id, record] of Object.entries(stored)) {
    if (!isDeepStrictEqual(wanted.get(id), record)) throw new Error(`${what}: ${id} is not what was imported`);
    wanted.delete(id);
    equal++;
  }
  if (wanted.size > 0) throw new Error(`${what}: ${wanted.size} records are missing`);
  console.log(`${what}: ${equal} records are equal`);
}

async function importBy50() {
  const ids = [];
  for (let at = 0; at < records.length; at += 50) {
    const id = `js-${String(ids.length + 1).padStart(6, "0")}`;
    const documents = Object.fromEntries(records.slice(at, at + 50).map((r) => [r.id, r.record]));
    const answer = await ask("collection.put", id, { format: "marc", documents });
    if (answer.version !== 1 || !answer.changed) throw new Error(`${id}: ${JSON.stringify(answer)}`);
    ids.push(id);
  }
  return ids;
}

async function listed(prefix) {
  const ids = [];
  for (let cursor; ; ) {
    const page = await ask("collection.list", "", cursor ? { cursor } : {});
    ids.push(...page.items.map((c) => c.id).filter((id) => id.startsWith(prefix)));
    if (!(cursor = page.next)) return ids;
  }
}

async function all(ids) {
  const stored = {};
  for (const id of ids) Object.assign(stored, await readAll(id));
  return stored;
}

compare("imported over NATS", await all(await importBy50()));
compare("imported by the command line", await all(await listed(imported)));
const refused = await ask("collection.put", "js-000001", { metadata: {}, Metadata: {} }).catch((e) => e.message);
if (!refused.includes("400") || !refused.includes("/Metadata")) throw new Error(`not refused as documented: ${refused}`);
await nc.drain();
