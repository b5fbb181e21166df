// The service worker, the browser's offer to install, and whether there is a network.

interface InstallEvent extends Event {
  prompt(): Promise<void>;
  userChoice: Promise<{ outcome: string }>;
}

let offer = $state.raw<InstallEvent>();
let waiting = $state.raw<ServiceWorker>();
let offlineReady = $state(false);
let online = $state(navigator.onLine);

export function startInstalling(): void {
  window.addEventListener("online", () => (online = true));
  window.addEventListener("offline", () => (online = false));
  window.addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault();
    offer = event as InstallEvent;
  });
  window.addEventListener("appinstalled", () => (offer = undefined));
  if (!("serviceWorker" in navigator)) return;
  void navigator.serviceWorker.register("./wallet-sw.js", { scope: "./wallet" }).then(
    (registration) => {
      const watch = () => {
        const worker = registration.installing;
        worker?.addEventListener("statechange", () => {
          if (worker.state === "installed" && navigator.serviceWorker.controller) waiting = worker;
        });
      };
      registration.addEventListener("updatefound", watch);
      if (registration.waiting && navigator.serviceWorker.controller) waiting = registration.waiting;
    },
    () => undefined, // without it the wallet works, but not offline; Settings says so
  );
  void navigator.serviceWorker.ready.then(() => (offlineReady = true));
}

export const installation = {
  get offered() {
    return offer !== undefined;
  },
  get updated() {
    return waiting !== undefined;
  },
  get offlineReady() {
    return offlineReady;
  },
  get online() {
    return online;
  },
  async install(): Promise<void> {
    await offer?.prompt();
    offer = undefined;
  },
  useNewVersion(): void {
    navigator.serviceWorker.addEventListener("controllerchange", () => location.reload());
    waiting?.postMessage("use-new-version");
  },
};
