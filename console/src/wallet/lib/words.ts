// Plain words for claims, values and times.

import type { Json } from "./bytes";
import { moment } from "./check";
import { type Claim, type Path, leaves } from "./sdjwt";

const TECHNICAL: Record<string, string> = {
  iss: "Issuer",
  vct: "Kind of paper",
  "vct#integrity": "Digest of the kind's description",
  iat: "Issued",
  nbf: "Valid from",
  exp: "Valid until",
  cnf: "Key that this paper is bound to",
  status: "Place in the issuer's status list",
  sub: "Subject",
};
const TIMES = new Set(["iat", "nbf", "exp"]);

export const isTechnical = ({ path }: { path: Path }): boolean => String(path[0]) in TECHNICAL;

export function labelOf(path: Path | (string | number | null)[], labels: Record<string, string> = {}): string {
  const joined = path.map((part) => (typeof part === "number" ? null : part)).join("/");
  const own = labels[path.join("/")] ?? labels[joined];
  if (own) return own;
  const known = TECHNICAL[String(path[0])];
  if (known) return known;
  const words = path.map((part) => (part === null ? "each" : typeof part === "number" ? String(part + 1) : humanised(part)));
  const text = words.join(", ").toLowerCase();
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const humanised = (name: string): string => name.replaceAll(/([a-z])([A-Z])/g, "$1 $2").replaceAll(/[_-]+/g, " ").trim();

export function valueOf(value: Json, path: Path = []): string {
  if (path.length === 1 && TIMES.has(String(path[0])) && typeof value === "number") return moment(value);
  if (value === null) return "empty";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "string") return value === "" ? "empty" : value;
  if (typeof value === "number") return String(value);
  return (Array.isArray(value) ? value.length : Object.keys(value).length) === 0 ? "empty" : JSON.stringify(value);
}

export interface Line {
  label: string;
  value: string;
}

/** Digests have no order of their own: fields stand as the issuer lists them, then as they come. */
export function inOrder<T extends { path: Path }>(claims: T[], labels: Record<string, string> = {}): T[] {
  const order = Object.keys(labels);
  const place = ({ path }: T) => {
    const at = order.findIndex((known) => path.join("/") === known || path.join("/").startsWith(`${known}/`));
    return at < 0 ? order.length : at;
  };
  return [...claims].sort((left, right) => place(left) - place(right));
}

/** An identifier that is too long to read, with its ends to compare. */
export const shortened = (id: string): string => (id.length > 60 ? `${id.slice(0, 40)}…${id.slice(-8)}` : id);

/** What a reader of this paper sees: contents, and apart from them the technical fields that always go along. */
export function linesOf(root: Claim, labels: Record<string, string> = {}): { contents: Line[]; technical: Line[] } {
  const contents = inOrder(leaves(root), labels).filter((claim) => !isTechnical(claim)).map((claim) => ({ label: labelOf(claim.path, labels), value: valueOf(claim.value, claim.path) }));
  const technical = root.children.filter(isTechnical).map((claim) => ({ label: labelOf(claim.path), value: technicalValue(claim) }));
  return { contents, technical };
}

function technicalValue({ path, value }: Claim): string {
  const inner = value as { jwk?: { x?: string }; status_list?: { idx?: number; uri?: string } } | null;
  if (path[0] === "cnf" && inner?.jwk?.x) return `${inner.jwk.x.slice(0, 10)}…, a number that can be recognised again`;
  if (path[0] === "status" && inner?.status_list) return `number ${inner.status_list.idx} in ${inner.status_list.uri}, a number that can be recognised again`;
  return valueOf(value, path);
}

export const dateOf = (ms: number): string => new Date(ms).toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric" });
export const whenOf = (ms: number): string => moment(ms / 1000);
