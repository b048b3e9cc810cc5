// Draws photo.jpg: hills before an evening sky, with grain as a camera has it, and a capture time in its EXIF data.
import sharp from 'sharp';

const width = 1200;
const height = 800;
const hill = (base, swing, phase) => {
  const points = Array.from(
    { length: 61 },
    (_, i) => `${i * 20},${base + swing * Math.sin(i / 7 + phase) + (swing / 3) * Math.sin(i / 2.3 + phase * 2)}`,
  );
  return `M0,${height} L${points.join(' L')} L${width},${height} Z`;
};
const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">
  <defs><linearGradient id="sky" x2="0" y2="1"><stop stop-color="#1d2b53"/><stop offset=".55" stop-color="#d9705a"/><stop offset=".8" stop-color="#f6c177"/></linearGradient></defs>
  <rect width="100%" height="100%" fill="url(#sky)"/>
  <circle cx="820" cy="430" r="70" fill="#ffe8b0"/>
  <path d="${hill(520, 50, 0.4)}" fill="#6b3f5e"/><path d="${hill(600, 60, 2.1)}" fill="#3f2a47"/><path d="${hill(700, 40, 4)}" fill="#1b1626"/>
</svg>`;
const grain = await sharp({
  create: { width, height, channels: 3, background: '#808080', noise: { type: 'gaussian', mean: 128, sigma: 9 } },
})
  .png()
  .toBuffer();

await sharp(Buffer.from(svg))
  .composite([{ input: grain, blend: 'soft-light' }])
  .jpeg({ quality: 72, mozjpeg: true })
  .withExif({ IFD0: { ImageDescription: 'Evening' }, IFD2: { DateTimeOriginal: '2026:06:21 21:30:00' } })
  .toFile(new URL('photo.jpg', import.meta.url).pathname);
