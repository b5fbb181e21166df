// How values are written: numbers, times, ids, field types.

import type { FieldLimits } from "./api";

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const measured = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });

export function count(value: number | undefined | null): string {
  return value === undefined || value === null ? "" : grouped.format(value);
}

/** A measured figure: four significant digits, and whole numbers above 1000. */
export function figure(value: number): string {
  return Math.abs(value) >= 1000 ? grouped.format(value) : measured.format(value);
}

/** `2026-03-01 09:30:00.125`, in UTC; seconds only where `ms` is false. */
export function utc(timeMs: number, ms = false): string {
  const date = new Date(timeMs);
  if (Number.isNaN(date.getTime())) return `${timeMs} ms`;
  return date.toISOString().replace("T", " ").slice(0, ms ? 23 : 19);
}

/** `12 s ago`. */
export function ago(timeMs: number, now: number): string {
  const seconds = Math.max(0, (now - timeMs) / 1000);
  if (seconds < 10) return `${seconds.toFixed(1)} s ago`;
  if (seconds < 120) return `${Math.round(seconds)} s ago`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86_400)} days ago`;
}

export function bytesText(bytes: number): string {
  return bytes < 10_000 ? `${count(bytes)} bytes` : `${figure(bytes / 1024)} KiB`;
}

/** Middle-truncated: both ends are what people compare. */
export function middle(id: string, head = 8, tail = 6): string {
  const prefix = id.startsWith("did:stele:") ? "did:stele:" : "";
  const rest = id.slice(prefix.length);
  return rest.length <= head + tail + 1 ? id : `${prefix ? "did:" : ""}${rest.slice(0, head)}…${rest.slice(-tail)}`;
}

export function isHash(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

export function isDid(text: string): boolean {
  return /^did:stele:[a-z2-7]{52}$/.test(text);
}

/** Upper-case first letter, hyphens as spaces: for names of steps and figures. */
export function words(name: string): string {
  const text = name.replaceAll("-", " ").replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A field's type with its limits, in words. */
export function fieldType(type: string, limits: FieldLimits): string {
  switch (type) {
    case "text":
      return `text, at most ${count(limits.max_bytes)} bytes`;
    case "bytes":
      return `${count(limits.min_bytes)} to ${count(limits.max_bytes)} bytes`;
    case "choice":
      return (limits.choices ?? []).join(" or ");
    case "list":
      return `${count(limits.min)} to ${count(limits.max)} of: ${fieldType(limits.of ?? "", limits.of_limits ?? {})}`;
    case "uint":
      return "unsigned integer";
    case "bool":
      return "true or false";
    case "key":
      return "COSE_Key";
    default:
      return type;
  }
}
