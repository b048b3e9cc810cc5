import type { TemplateMemory } from '../ports/mod.ts';

/** What all deployments are taken to hold. In KiB, as whole numbers: what is added is taken away again to the last bit. */
export class Ledger {
  committedKiB = 0;

  get committedMiB(): number {
    return this.committedKiB / 1024;
  }
}

/** Before anything was measured; plain processes share nothing. */
const FORKED_KIB = { template: 8 * 1024, instance: 1.5 * 1024 };
const PLAIN_KIB = { template: 48 * 1024, instance: 48 * 1024 };
const LEAST_KIB = 256;

/** The memory of one deployment: how many there are, by what one was measured to take. Not their limits, of which most use a small part. */
export class Holding {
  readonly #ledger: Ledger;
  #templateKiB: number;
  #instanceKiB: number;
  #templates = 0;
  /** Whether it goes by a measurement yet. */
  isMeasured = false;
  #instances = 0;

  constructor(ledger: Ledger, plain: boolean) {
    this.#ledger = ledger;
    ({ template: this.#templateKiB, instance: this.#instanceKiB } = plain ? PLAIN_KIB : FORKED_KIB);
  }

  get templateMiB(): number {
    return this.#templateKiB / 1024;
  }

  get instanceMiB(): number {
    return this.#instanceKiB / 1024;
  }

  /** Whether there is a template, or one on its way. */
  set template(there: boolean) {
    this.#change(() => (this.#templates = there ? 1 : 0));
  }

  took(): void {
    this.#change(() => this.#instances++);
  }

  gaveBack(): void {
    this.#change(() => this.#instances--);
  }

  measured({ templateKiB, instanceKiB }: TemplateMemory): void {
    this.isMeasured = true;
    this.#change(() => {
      if (templateKiB !== undefined) this.#templateKiB = Math.max(LEAST_KIB, Math.round(templateKiB));
      if (instanceKiB !== undefined) this.#instanceKiB = Math.max(LEAST_KIB, Math.round(instanceKiB));
    });
  }

  #change(change: () => void): void {
    this.#ledger.committedKiB -= this.#totalKiB;
    change();
    this.#ledger.committedKiB += this.#totalKiB;
  }

  get #totalKiB(): number {
    return this.#templates * this.#templateKiB + this.#instances * this.#instanceKiB;
  }
}
