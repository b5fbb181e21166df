// What a scanned, pasted or opened text is, and which view handles it.

import { to } from "../../lib/router.svelte";
import { queryOf } from "./offer";
import { Trouble } from "./trouble";

const LENGTH_MAX = 64 * 1024;

/** The view for a link, a code or an offer's text. Throws Trouble if it is nothing for the wallet. */
export function viewFor(input: string): string {
  const text = input.trim();
  if (text.length > LENGTH_MAX) throw new Trouble("link.too-long", "This is too long for a link or a code.", "Copy only the link.");
  if (text.startsWith("{")) return to(["offer"], { credential_offer: text });
  const query = queryOf(text);
  if (query.has("credential_offer") || query.has("credential_offer_uri")) return `#/offer?${query}`;
  if (query.has("client_id")) return `#/present?${query}`;
  if (text.startsWith("stele-share/1")) throw new Trouble("link.share", "This is a guardian's share of a backup.", "Use it under Restore, on a device without a wallet.");
  if (text.includes("~")) throw new Trouble("link.paper", "This is a paper that somebody shows.", "Use Check a paper to check it.");
  throw new Trouble("link.unknown", "This is neither an offer of a paper nor a request for one.", "Scan or copy it once more, whole.");
}
