// Addresses live in the hash: `GET /entries/{id}` on the same origin belongs to SCITT's SCRAPI, and
// a hash needs no agreement with whatever serves the files.

export interface Route {
  /** Path segments, decoded. */
  segments: string[];
  query: URLSearchParams;
  /** The whole address, to tell one view from the next. */
  key: string;
}

function current(): Route {
  const hash = window.location.hash.replace(/^#\/?/, "");
  const [path = "", search = ""] = hash.split("?", 2);
  return { segments: path.split("/").filter(Boolean).map(decoded), query: new URLSearchParams(search), key: hash };
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

let route = $state.raw(current());
window.addEventListener("hashchange", () => (route = current()));

export const router = {
  get route() {
    return route;
  },
};

type Query = Record<string, string | number | undefined | null>;

/** The address of a view. */
export function to(segments: (string | number)[], query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined && value !== null && value !== "") search.set(name, String(value));
  const path = segments.map((segment) => encodeURIComponent(segment).replaceAll("%3A", ":")).join("/");
  return `#/${path}${search.size > 0 ? `?${search}` : ""}`;
}

/** Goes to a view. */
export function go(hash: string): void {
  window.location.hash = hash;
}

/** Goes on from the present view when its work is done, unless somebody has opened another meanwhile. */
export function goOn(): (hash: string) => void {
  const here = route.key;
  return (hash) => {
    if (current().key === here) go(hash);
  };
}
