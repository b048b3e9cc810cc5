/** Memory classes, MiB: V8's heap limit is fixed when a process starts, so each class has a zygote, started on first need. */
export const CLASSES = [128, 256, 512, 1024, 2048, 4096, 10_240];

/** What of a function's memory the old space of V8's heap may take. */
const HEAP_SHARE = 0.75;

export const heapMiBOf = (memoryClass: number): number => Math.floor(memoryClass * HEAP_SHARE);
