import { mount } from "svelte";
import "../app.css";
import "./wallet.css";
import { startInstalling } from "./lib/install.svelte";
import Wallet from "./Wallet.svelte";

// A sign-in page returns to /wallet?code=…&state=…. Views live in the hash, so the answer is moved there
// and out of the browser's history; replacing the address alone does not tell the router.
const returned = new URLSearchParams(location.search);
if (returned.has("state")) {
  history.replaceState(null, "", `${location.pathname}#/return?${returned}`);
  window.dispatchEvent(new HashChangeEvent("hashchange"));
}

startInstalling();
mount(Wallet, { target: document.getElementById("app") as HTMLElement });
