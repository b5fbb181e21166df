// DCQL (OpenID4VP 1.0, section 6): which papers answer a question, and which of their fields it names.

import { type Json, isObject, list, text } from "./bytes";
import type { Claim, SdJwt } from "./sdjwt";
import { Trouble } from "./trouble";

export interface ClaimQuery {
  id: string;
  path: (string | number | null)[];
  values: Json[] | undefined;
}
export interface CredentialQuery {
  id: string;
  format: string;
  kinds: string[] | undefined;
  claims: ClaimQuery[];
  /** Sets of claims that suffice, the verifier's favourite first; without sets, all claims. */
  options: string[][];
  multiple: boolean;
}
export interface SetQuery {
  options: string[][];
  required: boolean;
}
export interface Query {
  credentials: CredentialQuery[];
  sets: SetQuery[];
}

const QUERIES_MAX = 20;
const CLAIMS_MAX = 100;
const malformed = (what: string) => new Trouble("request.query", `The question of the verifier is not what the standard says (${what}).`, "Nothing was sent. Tell the office that asks.");

export function readQuery(value: Json | undefined): Query {
  if (!isObject(value)) throw malformed("no dcql_query");
  const credentials = list(value["credentials"]).map(credentialQuery);
  const ids = new Set(credentials.map(({ id }) => id));
  if (credentials.length === 0 || credentials.length > QUERIES_MAX || ids.size !== credentials.length) throw malformed("credentials");
  const sets = list(value["credential_sets"]).map((set) => {
    const options = isObject(set) ? list(set["options"]).map((option) => list(option).map(String)) : [];
    if (!isObject(set) || options.length === 0 || options.some((option) => option.length === 0 || option.some((id) => !ids.has(id)))) throw malformed("credential_sets");
    return { options, required: set["required"] !== false };
  });
  return { credentials, sets: sets.length > 0 ? sets : credentials.map(({ id }) => ({ options: [[id]], required: true })) };
}

function credentialQuery(value: Json): CredentialQuery {
  if (!isObject(value)) throw malformed("credentials");
  const id = text(value["id"]);
  const format = text(value["format"]);
  if (!id || !/^[A-Za-z0-9_-]+$/.test(id) || !format) throw malformed("credentials");
  const claims = list(value["claims"]).map((claim, number) => claimQuery(claim, number));
  if (claims.length > CLAIMS_MAX || new Set(claims.map((claim) => claim.id)).size !== claims.length) throw malformed("claims");
  const options = list(value["claim_sets"]).map((set) => list(set).map(String));
  if (options.some((set) => set.length === 0 || set.some((name) => !claims.some((claim) => claim.id === name)))) throw malformed("claim_sets");
  const meta = isObject(value["meta"]) ? value["meta"] : {};
  return {
    id,
    format,
    kinds: Array.isArray(meta["vct_values"]) ? list(meta["vct_values"]).map(String) : undefined,
    claims,
    options: options.length > 0 ? options : [claims.map((claim) => claim.id)],
    multiple: value["multiple"] === true,
  };
}

function claimQuery(value: Json, number: number): ClaimQuery {
  const path = isObject(value) ? list(value["path"]) : [];
  const sound = path.every((part) => part === null || typeof part === "string" || (typeof part === "number" && Number.isSafeInteger(part) && part >= 0));
  if (!isObject(value) || path.length === 0 || path.length > 16 || !sound) throw malformed("claims");
  return { id: text(value["id"]) ?? `#${number}`, path: path as ClaimQuery["path"], values: Array.isArray(value["values"]) ? (value["values"] as Json[]) : undefined };
}

/** The claims that a path names (OpenID4VP 1.0, section 7). */
export function select(root: Claim, path: ClaimQuery["path"]): Claim[] {
  let found = [root];
  for (const part of path) {
    found = found.flatMap((claim) => {
      const isList = Array.isArray(claim.value);
      if (part === null) return isList ? claim.children : [];
      if ((typeof part === "number") !== isList) return [];
      return claim.children.filter((child) => child.path.at(-1) === part);
    });
  }
  return found;
}

function satisfied(root: Claim, { path, values }: ClaimQuery): Claim[] {
  const found = select(root, path);
  return values === undefined ? found : found.filter((claim) => values.some((value) => value === claim.value));
}

/** What one paper can show for one query. */
export interface Match {
  /** Sets of claim ids that this paper can satisfy, the favourite first. */
  options: string[][];
  claims: Map<string, Claim[]>;
}

export function match(query: CredentialQuery, paper: SdJwt): Match | undefined {
  if (query.format !== "dc+sd-jwt") return undefined;
  const kind = text(paper.payload["vct"]);
  if (query.kinds && !(kind && query.kinds.includes(kind))) return undefined;
  const claims = new Map(query.claims.map((claim) => [claim.id, satisfied(paper.root, claim)]));
  const options = query.options.filter((set) => set.every((id) => (claims.get(id) ?? []).length > 0));
  return options.length > 0 ? { options, claims } : undefined;
}

/** Claims that stand in every set: without them there is no answer. */
export const required = ({ options }: Match): Set<string> => new Set((options[0] ?? []).filter((id) => options.every((set) => set.includes(id))));

/** The first set that is wholly among what the holder agreed to. */
export const chosen = ({ options }: Match, agreed: Set<string>): string[] | undefined => options.find((set) => set.every((id) => agreed.has(id)));

/** Whether these answered queries satisfy every required set. */
export const complete = (query: Query, answered: Set<string>): boolean => query.sets.every((set) => !set.required || set.options.some((option) => option.every((id) => answered.has(id))));

/** Whether some required set cannot do without this query. */
export const indispensable = (query: Query, id: string): boolean => query.sets.some((set) => set.required && set.options.every((option) => option.includes(id)));

