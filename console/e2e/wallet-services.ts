// One origin for the wallet's tests: the console as the node serves it, behind the same address as the
// test's own issuers and verifier. Requests that are none of theirs go to the node, headers and all.

import { createServer, request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { TestIssuer } from "./wallet-issuer";
import { TestLedger } from "./wallet-ledger";
import { TestVerifier } from "./wallet-verifier";

export interface Request {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}
export interface Reply {
  status: number;
  type: string;
  body: string | Uint8Array;
}

export interface Services {
  /** With a name, not a number: passkeys need one. */
  url: string;
  university: TestIssuer;
  /** An issuer whose site does not say what its keys are. */
  silent: TestIssuer;
  /** An issuer that signs with Ed25519 as a did:key. */
  college: TestIssuer;
  /** An issuer that is a party of a fictional network and commits to what it issues. */
  academy: TestIssuer;
  ledger: TestLedger;
  verifier: TestVerifier;
  close(): Promise<void>;
}

export async function startServices(node: string): Promise<Services> {
  const handlers: { handle(request: Request): Promise<Reply | undefined> }[] = [];
  const server = createServer((incoming, outgoing) => {
    const parts: Buffer[] = [];
    incoming.on("data", (part: Buffer) => parts.push(part));
    incoming.on("end", () => void answer(Buffer.concat(parts)));
    const answer = async (body: Buffer) => {
      const url = new URL(incoming.url ?? "/", "http://localhost");
      const request: Request = { method: incoming.method ?? "GET", path: url.pathname, query: url.searchParams, headers: incoming.headers, body: body.toString() };
      try {
        for (const handler of handlers) {
          const reply = await handler.handle(request);
          if (!reply) continue;
          outgoing.writeHead(reply.status, { "content-type": reply.type, "cache-control": "no-store" });
          outgoing.end(reply.body);
          return;
        }
      } catch (error) {
        outgoing.writeHead(500, { "content-type": "application/json" });
        outgoing.end(JSON.stringify({ error: "server_error", error_description: String(error) }));
        return;
      }
      const target = new URL(incoming.url ?? "/", node);
      const forwarded = httpRequest(target, { method: request.method, headers: { ...incoming.headers, host: target.host } }, (reply) => {
        outgoing.writeHead(reply.statusCode ?? 502, reply.headers);
        reply.pipe(outgoing);
      });
      forwarded.on("error", () => outgoing.destroy());
      forwarded.end(body);
    };
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://localhost:${(server.address() as AddressInfo).port}`;
  const university = await new TestIssuer(origin, "/openid/issuer", "Fictional University").start();
  const silent = await new TestIssuer(origin, "/openid/silent", "Fictional Night School", false, 1).start();
  const college = await new TestIssuer(origin, "/openid/college", "Fictional College", false, 1, "EdDSA").start();
  const ledger = new TestLedger();
  const academy = await new TestIssuer(origin, "/openid/academy", "Fictional Academy", false, 2, "EdDSA", ledger).start();
  const verifier = await new TestVerifier(origin, "/openid/verifier", [university, silent, college, academy]).start();
  handlers.push(university, silent, college, academy, verifier);
  return {
    url: `${origin}/`,
    university,
    silent,
    college,
    academy,
    ledger,
    verifier,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
