// People's Nostr apps made of applesauce: how a message is wrapped, to whom it goes and at which relays, what is shown
// in a conversation, is decided by that library.
//
// In: {"lifeSeconds"}, then orders (see `serve`). Out: {"ready": true}, what came of each order, and
// {"name", "heard": {...}} for each message of the bot that the app shows in the conversation with it.
//   app  {name, nsec, bot, index, mailbox}  knows an npub, and a relay where people are looked up; reads at `mailbox`,
//        and says so
//   dm   {name, text}  a message: the rumor, and where the app published which of its wraps
import { config, say, serve } from "./stdio.mjs";
import { ActionRunner } from "applesauce-actions";
import { SendWrappedMessage } from "applesauce-actions/actions";
import { castUser } from "applesauce-common/casts";
import { DmRelaysFactory } from "applesauce-common/factories";
import { getGiftWrapRumor, getRumorGiftWraps, unlockGiftWrap } from "applesauce-common/helpers/gift-wrap";
import { WrappedMessagesGroup } from "applesauce-common/models";
import { EventStore } from "applesauce-core";
import { MailboxesFactory } from "applesauce-core/factories";
import { nip44 } from "applesauce-core/helpers/encryption";
import { finalizeEvent } from "applesauce-core/helpers/event";
import { getPublicKey, normalizeToSecretKey } from "applesauce-core/helpers/keys";
import { normalizeToPubkey } from "applesauce-core/helpers/pointers";
import { getSeenRelays } from "applesauce-core/helpers/relays";
import { RelayPool } from "applesauce-relay";

const GIFT_WRAP = 1059;
const RELAY_LISTS = [10002, 10050];
const THREE_DAYS = 3 * 24 * 3600;

await config();
const apps = new Map();

/** What the library asks of a person's key. */
function signerOf(key) {
  const shared = (peer) => nip44.getConversationKey(key, peer);
  return {
    getPublicKey: () => getPublicKey(key),
    signEvent: (draft) => finalizeEvent(draft, key),
    nip44: {
      encrypt: (peer, text) => nip44.encrypt(text, shared(peer)),
      decrypt: (peer, payload) => nip44.decrypt(payload, shared(peer)),
    },
  };
}

class App {
  constructor(name, nsec, bot) {
    this.name = name;
    this.signer = signerOf(normalizeToSecretKey(nsec));
    this.pubkey = this.signer.getPublicKey();
    this.bot = normalizeToPubkey(bot);
    this.pool = new RelayPool();
    this.store = new EventStore();
    this.store.eventLoader = ({ kind, pubkey }) => this.#load(this.people, { kinds: [kind], authors: [pubkey] });
    this.runner = new ActionRunner(this.store, this.signer, (event, relays) => this.#publish(event, relays));
    this.published = [];
    this.shown = new Set();
  }

  async open(index, mailbox) {
    this.people = [index];
    await this.#load([index], { kinds: RELAY_LISTS, authors: [this.bot] });
    const relays = await castUser(this.bot, this.store).directMessageRelays$.$first();
    this.people = [index, ...relays];
    const mine = { inboxes: [mailbox], outboxes: relays };
    for (const list of [MailboxesFactory.create(mine), DmRelaysFactory.create().addRelay(mailbox)]) {
      await this.runner.publish(await list.sign(this.signer), relays);
    }
    const wraps = { kinds: [GIFT_WRAP], "#p": [this.pubkey], since: Math.floor(Date.now() / 1000) - THREE_DAYS };
    this.pool.subscription([mailbox], wraps).subscribe((wrap) => void this.#receive(wrap));
    this.store.model(WrappedMessagesGroup, this.pubkey, [this.bot]).subscribe((messages) => this.#show(messages));
    return relays;
  }

  /** The newest that relays have of it. */
  #load(relays, filter) {
    return new Promise((resolve, reject) => {
      let newest;
      const next = (event) => {
        this.store.add(event);
        if (!newest || event.created_at > newest.created_at) newest = event;
      };
      this.pool.request(relays, filter).subscribe({ next, complete: () => resolve(newest), error: reject });
    });
  }

  async #publish(event, relays) {
    const answers = await this.pool.publish(relays, event);
    const refused = Object.fromEntries(answers.filter(({ ok }) => !ok).map(({ from, message }) => [from, message]));
    this.published.push({ id: event.id, created_at: event.created_at, tags: event.tags, relays, refused });
  }

  async #receive(event) {
    const wrap = this.store.add(event);
    await unlockGiftWrap(wrap, this.signer).catch((wrong) => console.error("a wrap that can't be read", wrong));
  }

  #show(messages) {
    for (const message of messages) {
      if (message.pubkey !== this.bot || this.shown.has(message.id)) continue;
      this.shown.add(message.id);
      const [wrap] = getRumorGiftWraps(message);
      const [relay] = getSeenRelays(wrap);
      const { kind, id, pubkey, created_at, tags, content } = message;
      const heard = { relay, envelope: wrap.kind, wrap: wrap.id, kind, id, pubkey, created_at, tags, plain: content };
      say({ name: this.name, heard });
    }
  }

  async dm(text) {
    const from = this.published.length;
    await this.runner.run(SendWrappedMessage, this.bot, text);
    const wraps = this.published.slice(from);
    const [wrap] = wraps.filter(({ tags }) => tags.some((tag) => tag[0] === "p" && tag[1] === this.bot));
    const { id, created_at, content } = getGiftWrapRumor(this.store.getEvent(wrap.id));
    return { id, created_at, content, wrap: wrap.id, wrapped_at: wrap.created_at, wraps };
  }
}

serve({
  async app({ name, nsec, bot, index, mailbox }) {
    const app = new App(name, nsec, bot);
    apps.set(name, app);
    return { pubkey: app.pubkey, relays: await app.open(index, mailbox) };
  },
  dm: ({ name, text }) => apps.get(name).dm(text),
});
