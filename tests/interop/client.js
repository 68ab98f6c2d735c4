// A client of npm's ws against one of our echo servers: exits with 0 if everything is as it should be.

const assert = require("assert");
const { once } = require("events");
const WebSocket = require("ws");

const MESSAGES = [
  "hello",
  "",
  "grüße, € und \u{1F600}",
  "x".repeat(200),
  "ä".repeat(70_000),
  Buffer.alloc(0),
  Buffer.from(Array.from({ length: 256 }, (_, n) => n)),
  Buffer.alloc(70_000, 0x5a),
  Buffer.alloc(1 << 20, 0xa5),
];

// What arrives, in its order, as promises.
function reader(ws) {
  const arrived = [];
  const waiting = [];
  ws.on("message", (data, isBinary) => {
    const message = isBinary ? data : data.toString();
    if (waiting.length) waiting.shift()(message);
    else arrived.push(message);
  });
  return () => (arrived.length ? Promise.resolve(arrived.shift()) : new Promise((resolve) => waiting.push(resolve)));
}

async function open(url, compression) {
  // The defaults offer permessage-deflate, which a server without it has to decline. Everything is compressed.
  const ws = new WebSocket(url, ["echo"], { perMessageDeflate: { threshold: 0, clientMaxWindowBits: true } });
  const read = reader(ws);
  await once(ws, "open");
  assert.equal(ws.protocol, "echo");
  assert.equal(ws.extensions !== "", compression !== "off", ws.extensions);
  return [ws, read];
}

async function main(url, compression) {
  let [ws, read] = await open(url, compression);
  for (const message of MESSAGES) {
    ws.send(message);
    assert.deepEqual(await read(), message);
  }
  ws.send("frag", { fin: false });
  ws.ping("between");
  ws.send("ment", { fin: false });
  ws.send("ed", { fin: true });
  assert.equal(await read(), "fragmented");
  for (let n = 0; n < 1000; n++) ws.send(String(n));
  for (let n = 0; n < 1000; n++) assert.equal(await read(), String(n));
  ws.ping("are you there?");
  const [payload] = await once(ws, "pong");
  assert.equal(payload.toString(), "are you there?");
  ws.send("!ping");
  assert.equal(await read(), "pong: from the server");
  ws.close(4000, "grüße vom Client");
  let [code, reason] = await once(ws, "close");
  assert.deepEqual([code, reason.toString()], [4000, "grüße vom Client"]);

  [ws] = await open(url, compression);
  ws.send("!close");
  [code, reason] = await once(ws, "close");
  assert.deepEqual([code, reason.toString()], [4001, "grüße vom Server"]);

  [ws] = await open(url, compression);
  ws.send(Buffer.alloc(5 << 20));
  [code] = await once(ws, "close");
  assert.equal(code, 1009);
}

main(process.argv[2], process.argv[3]).then(
  () => console.log("ok"),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
