// A wallet made of Alby's own service: its NIP-47 is theirs, its money is an account of the tests' Lightning network.
//
// In: {"relay", "control", "account", "walletSecret", "clientPubkey", "lifeSeconds"}. Out: {"ready": true}.
import { config, say } from "./stdio.mjs";
import { NWCWalletService, NWCWalletServiceKeyPair } from "@getalby/sdk/nwc";

const { relay, control, account, walletSecret, clientPubkey } = await config();

const METHODS = {
  pay_invoice: "payInvoice",
  make_invoice: "makeInvoice",
  lookup_invoice: "lookupInvoice",
  list_transactions: "listTransactions",
  get_balance: "getBalance",
  get_info: "getInfo",
};

async function act(method, params) {
  const response = await fetch(`${control}/act`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ account, method, params: params ?? {} }),
  });
  const { result, error } = await response.json();
  if (error) return { result: undefined, error: { code: "INTERNAL", message: error } };
  return { result: result.result ?? undefined, error: result.error ?? undefined };
}

const handler = {};
for (const [method, name] of Object.entries(METHODS)) handler[name] = (params) => act(method, params);

const service = new NWCWalletService({ relayUrl: relay, relayUrls: [relay] });
await service.publishWalletServiceInfoEvent(walletSecret, Object.keys(METHODS), []);
await service.subscribe(new NWCWalletServiceKeyPair(walletSecret, clientPubkey), handler);

// The service subscribes in the background and tells nobody when it has; the relay needs a moment after connecting.
const deadline = Date.now() + 10_000;
while (!service.connected && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10));
await new Promise((resolve) => setTimeout(resolve, 200));
say({ ready: service.connected });
