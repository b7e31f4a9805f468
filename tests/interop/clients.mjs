// Nostr clients of people and machines, made of nostr-tools alone: what a phone app or an ATM would do.
//
// In: {"lifeSeconds"}, then one order a line: {"n", "op", ...}. Out: {"ready": true}, then for each order {"n", "done"}
// or {"n", "failed"}, and {"name", "heard": {...}} for whatever the bot sends to one of the clients, as often as a
// relay brings it.
//   open     {name, nsec, bot, relays, inbox}        connects; publishes at `relays`, reads wraps at `inbox`
//   dm       {name, text}                            a NIP-17 message to the bot: ids of rumor and wrap, times
//   publish  {name, kind, tags, content, encrypt}    any event; `encrypt`: NIP-44 to the bot
//   again    {name, id}                              the same bytes once more
//   query    {name, relay, filter}                   stored events, with `plain` where they are encrypted to the client
import { config, say } from "./stdio.mjs";
import { Relay } from "nostr-tools/relay";
import { decode } from "nostr-tools/nip19";
import * as nip44 from "nostr-tools/nip44";
import { createRumor, createSeal, createWrap, unwrapEvent } from "nostr-tools/nip59";
import { finalizeEvent, getPublicKey } from "nostr-tools/pure";

const DIRECT_MESSAGE = 14;
const GIFT_WRAP = 1059;
const FOR_CLIENTS = [DIRECT_MESSAGE, 21000, 30078];
const THREE_DAYS = 3 * 24 * 3600;
const QUERY_MILLISECONDS = 8000;

await config();
const clients = new Map();
const now = () => Math.floor(Date.now() / 1000);

class Client {
  constructor(name, nsec, bot) {
    this.name = name;
    this.key = decode(nsec).data;
    this.pubkey = getPublicKey(this.key);
    this.bot = bot;
    this.shared = nip44.v2.utils.getConversationKey(this.key, bot);
    this.sent = new Map();
    this.rumors = new Set();
  }

  async open(relays, inbox) {
    const connected = new Map();
    for (const url of new Set([...relays, ...inbox])) connected.set(url, await Relay.connect(url));
    this.relays = relays.map((url) => connected.get(url));
    const since = now() - THREE_DAYS; // wraps are dated back by up to two days
    for (const url of inbox) {
      const wraps = [{ kinds: [GIFT_WRAP], "#p": [this.pubkey], since }];
      await this.#listen(connected.get(url), wraps, (event) => this.#hearWrap(url, event));
    }
    for (const url of relays) {
      const direct = [{ kinds: FOR_CLIENTS, authors: [this.bot], "#p": [this.pubkey] }];
      await this.#listen(connected.get(url), direct, (event) => this.#hear(url, event, event, this.read(event)));
    }
  }

  #listen(relay, filters, onevent) {
    return new Promise((resolve) => relay.subscribe(filters, { onevent, oneose: resolve }));
  }

  #hearWrap(url, wrap) {
    let rumor;
    try {
      rumor = unwrapEvent(wrap, this.key);
    } catch {
      return; // not for us, or not genuine
    }
    this.#hear(url, wrap, rumor, rumor.content);
  }

  #hear(relay, event, message, plain) {
    const { kind, id, pubkey, created_at, tags } = message;
    const heard = { relay, envelope: event.kind, wrap: event.id, kind, id, pubkey, created_at, tags, plain };
    say({ name: this.name, heard });
  }

  /** What the bot encrypted to us; null for anything else. */
  read(event) {
    try {
      return nip44.v2.decrypt(event.content, this.shared);
    } catch {
      return null;
    }
  }

  async send(event) {
    this.sent.set(event.id, event);
    const refused = {};
    await Promise.all(this.relays.map((relay) => relay.publish(event).catch((no) => (refused[relay.url] = String(no)))));
    return { id: event.id, created_at: event.created_at, refused };
  }

  async dm(text) {
    const message = { kind: DIRECT_MESSAGE, content: text, tags: [["p", this.bot]], created_at: now() };
    let rumor = createRumor(message, this.key);
    // The same words within the same second are the same message, to the bot and to everybody else.
    while (this.rumors.has(rumor.id)) rumor = createRumor({ ...message, created_at: rumor.created_at + 1 }, this.key);
    this.rumors.add(rumor.id);
    const wrap = createWrap(createSeal(rumor, this.key, this.bot), this.bot);
    const { refused } = await this.send(wrap);
    return { id: rumor.id, created_at: rumor.created_at, wrap: wrap.id, wrapped_at: wrap.created_at, refused };
  }

  publish({ kind, tags = [], content = "", encrypt = false }) {
    const text = encrypt ? nip44.v2.encrypt(content, this.shared) : content;
    return this.send(finalizeEvent({ kind, tags, content: text, created_at: now() }, this.key));
  }
}

const ops = {
  async open({ name, nsec, bot, relays, inbox = relays }) {
    const client = new Client(name, nsec, bot);
    await client.open(relays, inbox);
    clients.set(name, client);
    return { pubkey: client.pubkey };
  },
  dm: ({ name, text }) => clients.get(name).dm(text),
  publish: ({ name, ...event }) => clients.get(name).publish(event),
  again: ({ name, id }) => clients.get(name).send(clients.get(name).sent.get(id)),
  async query({ name, relay: url, filter }) {
    const relay = await Relay.connect(url);
    const found = [];
    await new Promise((resolve, reject) => {
      setTimeout(() => reject(new Error("no EOSE")), QUERY_MILLISECONDS).unref();
      relay.subscribe([filter], { onevent: (event) => found.push(event), oneose: resolve });
    });
    relay.close();
    const client = clients.get(name);
    return found.map((event) => ({ ...event, plain: event.pubkey === client.bot ? client.read(event) : null }));
  },
};

let text = "";
process.stdin.on("data", (chunk) => {
  const lines = (text + chunk).split("\n");
  text = lines.pop();
  for (const line of lines) void act(JSON.parse(line));
});

async function act({ n, op, ...given }) {
  try {
    say({ n, done: await ops[op](given) });
  } catch (error) {
    say({ n, failed: String(error?.stack ?? error) });
  }
}

say({ ready: true });
