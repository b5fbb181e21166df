// What stays on this device: the encrypted vault, and for checking others' papers the public keys and
// signed status lists that were kept.

const NAME = "stele-wallet";
const STORES = ["vault", "known", "lists"] as const;
export type StoreName = (typeof STORES)[number];

let opened: Promise<IDBDatabase> | undefined;

function database(): Promise<IDBDatabase> {
  opened ??= new Promise((resolve, reject) => {
    const opening = indexedDB.open(NAME, 1);
    opening.onupgradeneeded = () => STORES.forEach((store) => opening.result.createObjectStore(store));
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(opening.error);
  });
  return opened;
}

async function run<T>(store: StoreName, mode: IDBTransactionMode, work: (objects: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const transaction = (await database()).transaction(store, mode, { durability: "strict" });
  const asked = work(transaction.objectStore(store));
  return new Promise((resolve, reject) => {
    // A write is done when its transaction is on disk, not when its request is answered.
    transaction.oncomplete = () => resolve(asked.result);
    transaction.onabort = () => reject(transaction.error);
    transaction.onerror = () => reject(transaction.error);
  });
}

export const get = <T>(store: StoreName, key: string): Promise<T | undefined> => run(store, "readonly", (objects) => objects.get(key) as IDBRequest<T | undefined>);
export const put = (store: StoreName, key: string, value: unknown): Promise<IDBValidKey> => run(store, "readwrite", (objects) => objects.put(value, key));
export const remove = (store: StoreName, key: string): Promise<undefined> => run(store, "readwrite", (objects) => objects.delete(key));
export const all = <T>(store: StoreName): Promise<T[]> => run(store, "readonly", (objects) => objects.getAll() as IDBRequest<T[]>);

/** Puts a record only if its `revision` is still the expected one: another tab may have written. */
export async function putIfUnchanged<T extends { revision: number }>(store: StoreName, key: string, value: T, expected: number): Promise<boolean> {
  const transaction = (await database()).transaction(store, "readwrite", { durability: "strict" });
  const objects = transaction.objectStore(store);
  let written = false;
  const current = objects.get(key) as IDBRequest<T | undefined>;
  current.onsuccess = () => {
    if ((current.result?.revision ?? 0) !== expected) return;
    written = true;
    objects.put(value, key);
  };
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(written);
    transaction.onabort = () => reject(transaction.error);
  });
}
