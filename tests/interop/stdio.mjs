// How a peer on node talks with the test that started it: JSON lines in, JSON lines out, and it ends with its input.
import WebSocket from "ws";
import { useWebSocketImplementation } from "nostr-tools/relay";

globalThis.WebSocket ??= WebSocket;
useWebSocketImplementation(globalThis.WebSocket);

// Standard output belongs to the protocol; whatever a library has to say goes to standard error.
console.log = console.info = console.debug = console.error;

export const say = (message) => process.stdout.write(JSON.stringify(message) + "\n");

/** The first line of standard input, parsed. The process ends when the input does, or after `lifeSeconds` of it. */
export function config() {
  return new Promise((resolve, reject) => {
    let text = "";
    process.stdin.setEncoding("utf8");
    process.stdin.on("data", (chunk) => {
      text += chunk;
      const end = text.indexOf("\n");
      if (end < 0) return;
      try {
        const read = JSON.parse(text.slice(0, end));
        setTimeout(() => process.exit(4), 1000 * (read.lifeSeconds ?? 60)).unref();
        resolve(read);
      } catch (error) {
        reject(error);
      }
    });
    process.stdin.on("end", () => process.exit(0));
  });
}

/** Does what further lines ask for, `{"n", "op", ...}`, and says `{"n", "done"}` or `{"n", "failed"}` of each. */
export function serve(ops) {
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
}
