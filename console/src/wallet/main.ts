import { mount } from "svelte";
import "../app.css";
import "./wallet.css";
import { startInstalling } from "./lib/install.svelte";
import Wallet from "./Wallet.svelte";

// A sign-in page returns to /wallet?code=…&state=…; views live in the hash, so it is moved there before
// anything reads the address, and out of the history.
const returned = new URLSearchParams(location.search);
if (returned.has("state")) history.replaceState(null, "", `${location.pathname}#/return?${returned}`);

startInstalling();
mount(Wallet, { target: document.getElementById("app") as HTMLElement });
