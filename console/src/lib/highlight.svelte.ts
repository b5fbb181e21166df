// The id under the pointer or the focus; its other appearances on the page are marked.

let id = $state<string>();

export const highlight = {
  get id() {
    return id;
  },
  on: (value: string) => (id = value),
  off: () => (id = undefined),
};
