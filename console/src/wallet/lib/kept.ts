// Issuers' keys and status lists that this device keeps, so that papers can be checked without a network.

import type { JWK } from "jose";
import * as idb from "./idb";

export interface KnownIssuer {
  issuer: string;
  name: string;
  jwk: JWK;
  thumbprint: string;
  sinceMs: number;
}

export const knownIssuers = (): Promise<KnownIssuer[]> => idb.all<KnownIssuer>("known");
export const keepIssuer = (known: KnownIssuer): Promise<unknown> => idb.put("known", known.thumbprint, known);
export const dropIssuer = (thumbprint: string): Promise<unknown> => idb.remove("known", thumbprint);

export const keptList = (uri: string): Promise<string | undefined> => idb.get<string>("lists", uri);
export const keepList = (uri: string, jwt: string): Promise<unknown> => idb.put("lists", uri, jwt);
