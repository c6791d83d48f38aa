// Starts @atproto/pds on the loopback, with a directory of identities (PLC) in memory; data goes to the current folder.
// Environment: PORT, JWT_SECRET, ADMIN_PASSWORD, BYPASS_KEY (requests with it are not counted against rate limits).
import crypto from "node:crypto";
import http from "node:http";
import net from "node:net";

// The server listens on all interfaces; here on one only.
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (first, ...rest) {
  if (typeof first === "number")
    return listen.call(this, { port: first, host: "127.0.0.1" }, ...rest.filter((each) => typeof each === "function"));
  if (first && typeof first === "object" && "port" in first) first.host = "127.0.0.1";
  return listen.call(this, first, ...rest);
};

const plc = await import("@did-plc/lib");
const { PDS } = await import("@atproto/pds");

const operations = new Map();

function looked_up(did, what) {
  const log = operations.get(did);
  if (!log) return [404, { message: "DID not registered" }];
  const data = plc.opToData(did, log.at(-1));
  const answers = { log, "log/last": log.at(-1), data };
  return [200, answers[what] ?? plc.formatDidDoc(data)];
}

const directory = http.createServer((request, response) => {
  const [, did, ...rest] = request.url.split("/").map(decodeURIComponent);
  const answer = (status, body) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  };
  if (request.method !== "POST") return answer(...looked_up(did, rest.join("/")));
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    operations.set(did, [...(operations.get(did) ?? []), JSON.parse(Buffer.concat(pieces))]);
    answer(200, {});
  });
});
await new Promise((listening) => directory.listen(0, listening));

const server = await PDS.fromEnv({
  adminPassword: process.env.ADMIN_PASSWORD,
  blobstoreDiskLocation: "blobs",
  dataDirectory: "data",
  devMode: true,
  didPlcUrl: `http://localhost:${directory.address().port}`,
  disableSsrfProtection: true,
  hostname: "localhost",
  inviteRequired: false,
  jwtSecret: process.env.JWT_SECRET,
  plcRotationKeyK256PrivateKeyHex: crypto.randomBytes(32).toString("hex"),
  port: Number(process.env.PORT),
  rateLimitBypassKey: process.env.BYPASS_KEY,
  rateLimitsEnabled: true,
  serviceHandleDomains: [".test"],
});
await server.start();
console.log(JSON.stringify({ ready: true }));
process.on("SIGTERM", async () => {
  await server.destroy();
  process.exit(0);
});
