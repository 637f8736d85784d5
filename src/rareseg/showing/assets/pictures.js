// Pictures out of base64: photos for drawing, and grey pictures as the very numbers that were written.
//
// Grey pictures are decoded here and not read back from a canvas, because some browsers add noise to what
// a page reads from a canvas, and a class index that is off by one is another class.
const Pictures = (() => {
  function bytesOf(base64) {
    const text = atob(base64);
    const bytes = new Uint8Array(text.length);
    for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
    return bytes;
  }

  function imageOf(base64) {
    return new Promise((resolve, reject) => {
      const image = new Image();
      image.onload = () => resolve(image);
      image.onerror = () => reject(new Error("a picture cannot be read"));
      // Every JPEG begins with the bytes FF D8 FF.
      image.src = `data:image/${base64.startsWith("/9j/") ? "jpeg" : "png"};base64,${base64}`;
    });
  }

  // Header and compressed rows of a PNG; null unless it is 8-bit grey and not interlaced.
  function chunksOf(bytes) {
    const view = new DataView(bytes.buffer);
    const parts = [];
    let header = null;
    for (let at = 8; at + 12 <= bytes.length; ) {
      const length = view.getUint32(at);
      const kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
      if (kind === "IHDR") {
        header = { width: view.getUint32(at + 8), height: view.getUint32(at + 12) };
        const [depth, colour, , , interlace] = bytes.subarray(at + 16, at + 21);
        if (depth !== 8 || colour !== 0 || interlace !== 0) return null;
      }
      if (kind === "IDAT") parts.push(bytes.subarray(at + 8, at + 8 + length));
      at += length + 12;
    }
    return header && { ...header, parts };
  }

  async function inflated(parts) {
    const stream = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  function paeth(left, above, corner) {
    const guess = left + above - corner;
    const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - above), Math.abs(guess - corner)];
    if (a <= b && a <= c) return left;
    return b <= c ? above : corner;
  }

  // Take the filters of the PNG specification (section 9) back, row by row, one byte per pixel.
  function unfiltered(rows, width, height) {
    const data = new Uint8Array(width * height);
    for (let y = 0; y < height; y += 1) {
      const from = y * (width + 1) + 1;
      const to = y * width;
      const filter = rows[from - 1];
      for (let x = 0; x < width; x += 1) {
        const left = x ? data[to + x - 1] : 0;
        const above = y ? data[to + x - width] : 0;
        let guess = 0;
        if (filter === 1) guess = left;
        else if (filter === 2) guess = above;
        else if (filter === 3) guess = (left + above) >> 1;
        else if (filter === 4) guess = paeth(left, above, x && y ? data[to + x - width - 1] : 0);
        data[to + x] = rows[from + x] + guess;
      }
    }
    return data;
  }

  async function byCanvas(base64) {
    const image = await imageOf(base64);
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
    return { width: canvas.width, height: canvas.height, data: pixels.filter((_, at) => at % 4 === 0) };
  }

  async function greyOf(base64) {
    const held = typeof DecompressionStream === "function" ? chunksOf(bytesOf(base64)) : null;
    if (!held) return byCanvas(base64);
    const rows = await inflated(held.parts);
    return { width: held.width, height: held.height, data: unfiltered(rows, held.width, held.height) };
  }

  return { imageOf, greyOf };
})();
