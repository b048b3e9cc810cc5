/** The WebAssembly of V8, with types: Node's own declare no more than that there is such a thing. */
export type Memory = { readonly buffer: ArrayBuffer; grow(pages: number): number };
export type Global = { value: unknown };
export type Module = { readonly brand?: never };
export type Exports = Readonly<Record<string, unknown>>;
export type Imports = Readonly<Record<string, Readonly<Record<string, unknown>>>>;
type Kind = 'function' | 'table' | 'memory' | 'global' | 'tag';
export type ImportEntry = { readonly module: string; readonly name: string; readonly kind: Kind };
export type ExportEntry = { readonly name: string; readonly kind: Kind };

type Engine = {
  readonly Module: {
    new (bytes: Uint8Array): Module;
    imports(module: Module): readonly ImportEntry[];
    exports(module: Module): readonly ExportEntry[];
  };
  readonly Instance: new (module: Module, imports: Imports) => { readonly exports: Exports };
  readonly Memory: new (limits: { readonly initial: number; readonly maximum?: number }) => Memory;
  readonly CompileError: new (message: string) => Error;
  readonly RuntimeError: new (message: string) => Error;
  readonly Exception: new (tag: unknown, payload: readonly unknown[]) => object;
};

export const engine = (globalThis as unknown as { readonly WebAssembly: Engine }).WebAssembly;
