// Nostr clients of people, programs and machines, made of nostr-tools alone: what a phone app or an ATM would do.
//
// In: {"lifeSeconds"}, then orders (see `serve`). Out: {"ready": true}, what came of each order, and
// {"name", "heard": {...}} for whatever the bot sends to one of the clients, as often as a relay brings it.
//   app      {name, nsec, bot, index, mailbox, says}  a person's app. It knows an npub, looks up at `index` where that
//            reads messages (kind 10050), and writes there and nowhere else. It reads at `mailbox`, or else where the
//            bot reads; `says` is what its own kind 10050 names, empty where it has none
//   open     {name, nsec, bot, relays}  a program or a machine: uses these relays for everything
//   dm       {name, text, age}  a NIP-17 message to the bot: ids of rumor and wrap, times. Seal and wrap are dated back
//            by chance, or else by `age` seconds
//   rewrap   {name, id}  the same message in another wrap
//   publish  {name, kind, tags, content, encrypt}  any event; `encrypt`: NIP-44 to the bot
//   again    {name, id}  the same bytes once more
//   query    {name, relay, filter}  stored events, with `plain` where they are encrypted to the client
//   carry    {from, to, filter}  brings what one relay has to another: how many events
import { config, say, serve } from "./stdio.mjs";
import { Relay } from "nostr-tools/relay";
import { decode } from "nostr-tools/nip19";
import * as nip44 from "nostr-tools/nip44";
import { createRumor, createSeal, createWrap, unwrapEvent } from "nostr-tools/nip59";
import { finalizeEvent, generateSecretKey, getEventHash, getPublicKey } from "nostr-tools/pure";

const SEAL = 13;
const DIRECT_MESSAGE = 14;
const GIFT_WRAP = 1059;
const DM_RELAYS = 10050;
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
    this.bot = bot.startsWith("npub1") ? decode(bot).data : bot;
    this.shared = nip44.v2.utils.getConversationKey(this.key, this.bot);
    this.sent = new Map();
    this.rumors = new Map();
  }

  async open(relays) {
    await this.#connect(relays);
    await this.#readWraps(relays);
    const direct = [{ kinds: FOR_CLIENTS, authors: [this.bot], "#p": [this.pubkey] }];
    for (const url of relays) {
      await this.#listen(url, direct, (event) => this.#hear(url, event, event, this.read(event)));
    }
    this.relays = relays;
  }

  async openApp(index, mailbox, says) {
    const lists = await stored(index, { kinds: [DM_RELAYS], authors: [this.bot] });
    lists.sort((a, b) => b.created_at - a.created_at);
    this.relays = (lists[0]?.tags ?? []).filter((tag) => tag[0] === "relay").map((tag) => tag[1]);
    if (!this.relays.length) throw new Error(`${index} doesn't know where ${this.bot} reads messages`);
    this.inbox = mailbox ? [mailbox] : this.relays;
    await this.#connect([...this.relays, ...this.inbox]);
    await this.#readWraps(this.inbox);
    if (says.length) await this.publish({ kind: DM_RELAYS, tags: says.map((url) => ["relay", url]) });
    return this.relays;
  }

  async #connect(urls) {
    this.connected = new Map();
    for (const url of new Set(urls)) this.connected.set(url, await Relay.connect(url));
  }

  async #readWraps(urls) {
    const since = now() - THREE_DAYS; // wraps are dated back by up to two days
    const wraps = [{ kinds: [GIFT_WRAP], "#p": [this.pubkey], since }];
    for (const url of urls) await this.#listen(url, wraps, (event) => this.#hearWrap(url, event));
  }

  #listen(url, filters, onevent) {
    return new Promise((resolve) => this.connected.get(url).subscribe(filters, { onevent, oneose: resolve }));
  }

  #hearWrap(url, wrap) {
    let rumor;
    try {
      rumor = unwrapEvent(wrap, this.key); // the seal's signature, and that its author is the rumor's
    } catch {
      return; // not for us, or not genuine
    }
    if (rumor.pubkey !== this.bot || rumor.id !== getEventHash(rumor)) return;
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

  async send(event, relays = this.relays) {
    this.sent.set(event.id, event);
    const refused = {};
    const publish = (url) => this.connected.get(url).publish(event).catch((no) => (refused[url] = String(no)));
    await Promise.all(relays.map(publish));
    return { id: event.id, created_at: event.created_at, refused };
  }

  dm(text, age) {
    const message = { kind: DIRECT_MESSAGE, content: text, tags: [["p", this.bot]], created_at: now() };
    let rumor = createRumor(message, this.key);
    // The same words within the same second are the same message, to the bot and to everybody else.
    while (this.rumors.has(rumor.id)) rumor = createRumor({ ...message, created_at: rumor.created_at + 1 }, this.key);
    this.rumors.set(rumor.id, rumor);
    return this.sendWrapped(rumor, age);
  }

  async sendWrapped(rumor, age) {
    const wrap = age === undefined ? this.#wrap(rumor, this.bot) : this.#wrapDatedBack(rumor, age);
    // An app keeps what its person wrote where that person reads, for their other devices.
    const copy = this.inbox && this.send(this.#wrap(rumor, this.pubkey), this.inbox);
    const [{ refused }] = await Promise.all([this.send(wrap), copy]);
    return { id: rumor.id, created_at: rumor.created_at, wrap: wrap.id, wrapped_at: wrap.created_at, refused };
  }

  #wrap(rumor, to) {
    return createWrap(createSeal(rumor, this.key, to), to);
  }

  #wrapDatedBack(rumor, age) {
    const created_at = now() - age;
    const content = nip44.v2.encrypt(JSON.stringify(rumor), this.shared);
    const seal = finalizeEvent({ kind: SEAL, content, tags: [], created_at }, this.key);
    const once = generateSecretKey();
    const hidden = nip44.v2.encrypt(JSON.stringify(seal), nip44.v2.utils.getConversationKey(once, this.bot));
    return finalizeEvent({ kind: GIFT_WRAP, content: hidden, tags: [["p", this.bot]], created_at }, once);
  }

  publish({ kind, tags = [], content = "", encrypt = false }) {
    const text = encrypt ? nip44.v2.encrypt(content, this.shared) : content;
    return this.send(finalizeEvent({ kind, tags, content: text, created_at: now() }, this.key));
  }
}

async function stored(url, filter) {
  const relay = await Relay.connect(url);
  const found = [];
  await new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error("no EOSE")), QUERY_MILLISECONDS).unref();
    relay.subscribe([filter], { onevent: (event) => found.push(event), oneose: resolve });
  });
  relay.close();
  return found;
}

serve({
  async app({ name, nsec, bot, index, mailbox, says }) {
    const client = new Client(name, nsec, bot);
    clients.set(name, client);
    return { pubkey: client.pubkey, relays: await client.openApp(index, mailbox, says) };
  },
  async open({ name, nsec, bot, relays }) {
    const client = new Client(name, nsec, bot);
    clients.set(name, client);
    await client.open(relays);
    return { pubkey: client.pubkey, relays };
  },
  dm: ({ name, text, age }) => clients.get(name).dm(text, age),
  rewrap: ({ name, id }) => clients.get(name).sendWrapped(clients.get(name).rumors.get(id)),
  publish: ({ name, ...event }) => clients.get(name).publish(event),
  again: ({ name, id }) => clients.get(name).send(clients.get(name).sent.get(id)),
  async query({ name, relay, filter }) {
    const client = clients.get(name);
    const found = await stored(relay, filter);
    return found.map((event) => ({ ...event, plain: event.pubkey === client.bot ? client.read(event) : null }));
  },
  async carry({ from, to, filter }) {
    const found = await stored(from, filter);
    const relay = await Relay.connect(to);
    for (const event of found) await relay.publish(event);
    relay.close();
    return found.length;
  },
});
