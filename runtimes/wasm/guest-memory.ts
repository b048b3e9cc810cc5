import type { Memory } from './engine.ts';

/** The linear memory of a module as WASI functions read and write it. Addresses come as signed numbers; what lies outside throws RangeError. */
export class GuestMemory {
  #memory: Memory | undefined;
  #view = new DataView(new ArrayBuffer(0));
  #bytes = new Uint8Array(0);

  /** Before the module can call anything. */
  attach(memory: Memory | undefined): void {
    this.#memory = memory;
    this.#refresh();
  }

  /** Anew when the memory has grown: the buffer before is detached, and empty. */
  get view(): DataView {
    if (this.#bytes.length === 0) this.#refresh();
    return this.#view;
  }

  get all(): Uint8Array {
    if (this.#bytes.length === 0) this.#refresh();
    return this.#bytes;
  }

  bytes(address: number, length: number): Uint8Array {
    const from = address >>> 0;
    const to = from + (length >>> 0);
    const all = this.all;
    if (to > all.length) throw new RangeError('outside of the memory');
    return all.subarray(from, to);
  }

  u32(address: number): number {
    return this.view.getUint32(address >>> 0, true);
  }

  setU32(address: number, value: number): void {
    this.view.setUint32(address >>> 0, value, true);
  }

  setU64(address: number, value: bigint): void {
    this.view.setBigUint64(address >>> 0, value, true);
  }

  #refresh(): void {
    const buffer = this.#memory?.buffer ?? new ArrayBuffer(0);
    this.#view = new DataView(buffer);
    this.#bytes = new Uint8Array(buffer);
  }
}
