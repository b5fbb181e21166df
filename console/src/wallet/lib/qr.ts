// QR codes, both ways: text as one code or a few numbered ones, and pictures or a camera back to text.

import encodeQR from "qr";
import { sha256Text } from "./bytes";
import { Trouble } from "./trouble";

/** What a phone's camera still reads well off another phone's screen: version 25 (117 modules) at most. */
const FRAME_CHARACTERS = 1270;
const FRAMES_MAX = 12;
const FRAME = /^stele-qr\/1\.([\w-]{6})\.(\d{1,2})\.(\d{1,2})\.([\s\S]+)$/;
const PICTURE_SIDE_MAX = 2400;

/** Text that is short enough stays as it is; longer text becomes frames that name their place. */
export async function framesOf(text: string): Promise<string[]> {
  if (text.length <= FRAME_CHARACTERS) return [text];
  const size = FRAME_CHARACTERS - 24;
  const count = Math.ceil(text.length / size);
  if (count > FRAMES_MAX) throw new Trouble("qr.too-large", "This is too much for QR codes.", "Choose fewer fields.");
  const id = (await sha256Text(text)).slice(0, 6);
  const even = Math.ceil(text.length / count);
  return Array.from({ length: count }, (_, at) => `stele-qr/1.${id}.${at + 1}.${count}.${text.slice(at * even, (at + 1) * even)}`);
}

/** The dark modules of a code as an SVG path of unit squares, with its side in modules. */
export function pathOf(text: string): { path: string; side: number } {
  const rows = encodeQR(text, "raw", { ecc: "low", border: 4 });
  let path = "";
  rows.forEach((row, y) => {
    for (let x = 0; x < row.length; x += 1) {
      if (!row[x]) continue;
      const from = x;
      while (row[x + 1]) x += 1;
      path += `M${from} ${y}h${x - from + 1}v1h-${x - from + 1}z`;
    }
  });
  return { path, side: rows.length };
}

/** Collects frames in any order; gives the text once it is whole. */
export class Frames {
  private id = "";
  private parts = new Map<number, string>();
  private count = 0;

  get progress(): { have: number; of: number } {
    return { have: this.parts.size, of: this.count };
  }

  async add(text: string): Promise<string | undefined> {
    const frame = FRAME.exec(text);
    if (!frame) return text;
    const [, id = "", number, count, part = ""] = frame;
    if (id !== this.id) [this.id, this.count, this.parts] = [id, Number(count), new Map()];
    if (Number(count) !== this.count || this.count > FRAMES_MAX || Number(number) < 1 || Number(number) > this.count) throw new Trouble("qr.frames", "These codes do not belong together.", "Ask to be shown them again.");
    this.parts.set(Number(number), part);
    if (this.parts.size < this.count) return undefined;
    const whole = Array.from({ length: this.count }, (_, at) => this.parts.get(at + 1)).join("");
    if ((await sha256Text(whole)).slice(0, 6) !== this.id) throw new Trouble("qr.frames", "These codes do not belong together.", "Ask to be shown them again.");
    return whole;
  }
}

interface Detector {
  detect(source: ImageBitmapSource): Promise<{ rawValue: string }[]>;
}

/** The phone's own reader where the browser offers one, else the library. */
export async function reader(): Promise<(source: HTMLVideoElement | ImageBitmap, patient: boolean) => Promise<string | undefined>> {
  const native = await nativeDetector();
  const { decodeQR } = await import("qr/decode.js");
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  return async (source, patient) => {
    const found = await native?.detect(source).catch(() => []);
    if (found?.[0]?.rawValue) return found[0].rawValue;
    const [width, height] = source instanceof HTMLVideoElement ? [source.videoWidth, source.videoHeight] : [source.width, source.height];
    if (!context || width === 0 || height === 0) return undefined;
    const scale = Math.min(1, PICTURE_SIDE_MAX / Math.max(width, height));
    [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
    context.drawImage(source, 0, 0, canvas.width, canvas.height);
    try {
      return decodeQR(context.getImageData(0, 0, canvas.width, canvas.height), patient ? { effort: Infinity, timeLimit: 5000 } : {});
    } catch {
      return undefined; // no code in this picture
    }
  };
}

async function nativeDetector(): Promise<Detector | undefined> {
  const BarcodeDetector = (globalThis as { BarcodeDetector?: { new (options: { formats: string[] }): Detector; getSupportedFormats(): Promise<string[]> } }).BarcodeDetector;
  if (!BarcodeDetector || !(await BarcodeDetector.getSupportedFormats().catch(() => [] as string[])).includes("qr_code")) return undefined;
  return new BarcodeDetector({ formats: ["qr_code"] });
}

export async function readPicture(file: Blob): Promise<string> {
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Trouble("qr.picture", "This file is not a picture that the browser can read.", "Choose a PNG or JPEG.");
  }
  const found = await (await reader())(bitmap, true);
  bitmap.close();
  if (!found) throw new Trouble("qr.none", "There is no readable QR code in this picture.", "Take it straight on, in good light, with the whole code in it.");
  return found;
}
