// Light, dark, or as the system says.

export type Theme = "system" | "light" | "dark";
const KEY = "stele.theme";
const NEXT: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };

let theme = $state<Theme>((localStorage.getItem(KEY) as Theme | null) ?? "system");
apply();

function apply(): void {
  document.documentElement.dataset["theme"] = theme;
}

export const appearance = {
  get theme() {
    return theme;
  },
  next(): void {
    theme = NEXT[theme];
    localStorage.setItem(KEY, theme);
    apply();
  },
};
