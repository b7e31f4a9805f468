// A person's Nostr client: sends one NIP-17 direct message and prints the answers to it, as they come.
//
// In: {"relay", "secret", "to", "text", "answers", "waitSeconds", "lifeSeconds"}; `to` is an npub or hex.
// Out: {"sent": rumor id, "author": pubkey}, then {"from", "id", "created_at", "content"} for each answer whose e tag
// names that rumor. Exit 0 with `answers` of them, 3 without.
import { config, fromHex, say } from "./stdio.mjs";
import { Relay } from "nostr-tools/relay";
import { decode } from "nostr-tools/nip19";
import { createRumor, createSeal, createWrap, unwrapEvent } from "nostr-tools/nip59";
import { getPublicKey } from "nostr-tools/pure";

const { relay: url, secret, to, text, answers = 1, waitSeconds = 20 } = await config();
const DIRECT_MESSAGE = 14;
const GIFT_WRAP = 1059;
const THREE_DAYS = 3 * 24 * 3600;

const key = fromHex(secret);
const me = getPublicKey(key);
const peer = to.startsWith("npub1") ? decode(to).data : to;

const rumor = createRumor({ kind: DIRECT_MESSAGE, content: text, tags: [["p", peer]] }, key);
const wrap = createWrap(createSeal(rumor, key, peer), peer);

let left = answers;
function onWrap(event) {
  let answer;
  try {
    answer = unwrapEvent(event, key);
  } catch {
    return; // not for us, or not genuine
  }
  const names = answer.tags.some((tag) => tag[0] === "e" && tag[1] === rumor.id);
  if (answer.kind !== DIRECT_MESSAGE || answer.pubkey !== peer || !names) return;
  say({ from: answer.pubkey, id: answer.id, created_at: answer.created_at, content: answer.content });
  if (--left <= 0) process.stdout.write("", () => process.exit(0));
}

const relay = await Relay.connect(url);
// Wraps are dated back by up to two days, so that is how far one has to look.
const since = Math.floor(Date.now() / 1000) - THREE_DAYS;
relay.subscribe([{ kinds: [GIFT_WRAP], "#p": [me], since }], { onevent: onWrap });
await relay.publish(wrap);
say({ sent: rumor.id, author: me });
if (left <= 0) process.exit(0);
setTimeout(() => process.exit(3), 1000 * waitSeconds);
