// What lies over the photo: the truth, the answer at a threshold, or what of it is found, missed and invented.
const Overlay = (() => {
  const UNCOUNTED = 255;
  const [NO, YES, OUT] = [0, 1, 2];
  const NOTHING = 0;

  // Red, green, blue and opacity as the four bytes of a pixel, in whatever order this machine keeps them.
  function pixelOf(...bytes) {
    return new Uint32Array(new Uint8ClampedArray(bytes).buffer)[0];
  }

  const OUTSIDE = pixelOf(128, 128, 128, 150);

  // A colour of the style sheet, "#rrggbb", nearly opaque.
  function colourOf(name) {
    const text = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    return pixelOf(...bytesOf(text), 225);
  }

  function bytesOf(colour) {
    return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  }

  // Whether a pixel holds class `label`: grey values are class indices, or sets of bits where classes overlap.
  function holds(value, label, overlapping) {
    return overlapping ? (value >> label) & 1 : value === label;
  }

  function truthOf(grey, label, overlapping) {
    return grey.data.map((value) => (value === UNCOUNTED ? OUT : holds(value, label, overlapping) ? YES : NO));
  }

  // The grey level of a probability: 1 + 254 (z + 8) / 16, z its log-odds clipped to -8..8. Rounded, as the
  // pixels are, so that none that reaches the threshold is left out.
  function levelOf(threshold) {
    const odds = Math.log(threshold / (1 - threshold));
    return Math.round(1 + (254 * (Math.min(Math.max(odds, -8), 8) + 8)) / 16);
  }

  function givenAbove(grey, threshold) {
    const level = levelOf(threshold);
    return grey.data.map((value) => (value !== 0 && value >= level ? YES : NO));
  }

  function givenAs(grey, label, overlapping) {
    return grey.data.map((value) => (value !== UNCOUNTED && holds(value, label, overlapping) ? YES : NO));
  }

  // Colour and strength of one pixel.
  function chooser(mode, colours) {
    const { found, missed, invented, out, truth, given } = colours;
    if (mode === "truth") return (t) => (t === OUT ? out : t === YES ? truth : NOTHING);
    if (mode === "given") return (t, g) => (t === OUT ? out : g === YES ? given : NOTHING);
    return (t, g) => {
      if (t === OUT) return out;
      if (t === YES) return g === YES ? found : missed;
      return g === YES ? invented : NOTHING;
    };
  }

  // Paint into `picture` (ImageData). `given` may be null: no answer is at hand.
  function paint(picture, mode, truth, given, colours) {
    const choose = chooser(mode, colours);
    const pixels = new Uint32Array(picture.data.buffer);
    for (let at = 0; at < truth.length; at += 1) pixels[at] = choose(truth[at], given ? given[at] : NO);
  }

  // No grey, which is what is not counted; the first six are Paul Tol's. More classes go round the colour circle.
  const TOLD_APART = [
    "#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377",
    "#ff9f1c", "#c8a2ff", "#00c2a0", "#d00000", "#ffffff", "#7a4b2a",
  ];

  function classColour(place) {
    if (place < TOLD_APART.length) return TOLD_APART[place];
    const turn = (place * 137.508) % 360;
    const part = (shift) => {
      const at = (shift + turn / 30) % 12;
      const level = 0.55 - 0.35 * Math.max(-1, Math.min(at - 3, 9 - at, 1));
      return Math.round(255 * level).toString(16).padStart(2, "0");
    };
    return `#${part(0)}${part(8)}${part(4)}`;
  }

  // Paint all classes of a map of class indices; of a set of bits the first class of `order` that it holds.
  function paintClasses(picture, grey, count, overlapping, order) {
    const colours = Array.from({ length: count }, (_, place) => pixelOf(...bytesOf(classColour(place)), 190));
    const table = new Uint32Array(256);
    for (let value = 0; value < UNCOUNTED; value += 1) {
      const place = overlapping ? order.find((one) => (value >> one) & 1) : value;
      table[value] = colours[place] ?? NOTHING;
    }
    table[UNCOUNTED] = OUTSIDE;
    const pixels = new Uint32Array(picture.data.buffer);
    for (let at = 0; at < grey.data.length; at += 1) pixels[at] = table[grey.data[at]];
  }

  function palette() {
    return {
      found: colourOf("--found"),
      missed: colourOf("--missed"),
      invented: colourOf("--invented"),
      truth: colourOf("--truth"),
      given: colourOf("--given"),
      out: OUTSIDE,
    };
  }

  return { classColour, truthOf, givenAbove, givenAs, levelOf, paint, paintClasses, palette };
})();
