// An echo server of npm's ws for our clients. Prints its port, and how each connection ended.

const { WebSocketServer } = require("ws");

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  maxPayload: 4 << 20,
  perMessageDeflate: { threshold: 0 },
  handleProtocols: (offered) => (offered.has("echo") ? "echo" : false),
});
server.on("listening", () => console.log("listening", server.address().port));
server.on("connection", (ws) => {
  ws.on("message", (data, isBinary) => {
    const text = isBinary ? "" : data.toString();
    if (text === "!close") ws.close(4001, "grüße vom Server");
    else if (text === "!ping") ws.ping("from the server");
    else ws.send(data, { binary: isBinary });
  });
  ws.on("pong", (payload) => ws.send(`pong: ${payload}`));
  ws.on("error", () => {});
  ws.on("close", (code, reason) => console.log("closed", code, reason.toString()));
});
