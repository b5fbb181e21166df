import { mount } from "svelte";
import "../app.css";
import "../wallet/wallet.css";
import SignIn from "./SignIn.svelte";

mount(SignIn, { target: document.getElementById("app") as HTMLElement });
