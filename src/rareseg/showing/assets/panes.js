// Canvases that show one picture together: zoomed and moved as one, by fingers, mouse or keys.
const Panes = (() => {
  const [MOST_ZOOM, STEP] = [24, 1.5];
  const between = (value, low, high) => Math.min(Math.max(value, low), high);

  class Held {
    // `draw(context, number)` paints the whole picture, `width` x `height`, in its own pixels.
    constructor(canvases, draw) {
      this.canvases = canvases;
      this.draw = draw;
      this.size = { width: 1, height: 1 };
      this.reset();
      for (const canvas of canvases) this.listen(canvas);
      new ResizeObserver(() => this.redraw()).observe(canvases[canvases.length - 1]);
    }

    fit(width, height) {
      this.size = { width, height };
      for (const canvas of this.canvases) canvas.style.aspectRatio = `${width} / ${height}`;
    }

    reset() {
      this.zoom = 1;
      this.middle = { x: 0.5, y: 0.5 };
      this.redraw();
    }

    // Zoom by a factor so that the place (x, y), 0..1 of the pane, stays where it is.
    zoomBy(factor, x = 0.5, y = 0.5) {
      const before = this.zoom;
      this.zoom = between(this.zoom * factor, 1, MOST_ZOOM);
      const moved = 1 / before - 1 / this.zoom;
      this.moveTo(this.middle.x + (x - 0.5) * moved, this.middle.y + (y - 0.5) * moved);
    }

    // Move by parts of the pane.
    moveBy(x, y) {
      this.moveTo(this.middle.x + x / this.zoom, this.middle.y + y / this.zoom);
    }

    moveTo(x, y) {
      const half = 0.5 / this.zoom;
      this.middle = { x: between(x, half, 1 - half), y: between(y, half, 1 - half) };
      this.redraw();
    }

    redraw() {
      if (this.asked) return;
      this.asked = requestAnimationFrame(() => {
        this.asked = 0;
        this.canvases.forEach((canvas, number) => this.paint(canvas, number));
      });
    }

    paint(canvas, number) {
      const box = canvas.getBoundingClientRect();
      if (!box.width || this.size.width < 2) return;
      const dense = window.devicePixelRatio || 1;
      const [width, height] = [Math.round(box.width * dense), Math.round(box.height * dense)];
      if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
      // One finger scrolls the page until there is something to move.
      canvas.style.touchAction = this.zoom > 1 ? "none" : "pan-x pan-y";
      const context = canvas.getContext("2d");
      const scale = (width / this.size.width) * this.zoom;
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, width, height);
      const across = width / 2 - this.middle.x * this.size.width * scale;
      const down = height / 2 - this.middle.y * this.size.height * scale;
      context.setTransform(scale, 0, 0, scale, across, down);
      // Enlarged pixels are shown as the squares that they are.
      context.imageSmoothingEnabled = scale < 1;
      this.draw(context, number);
    }

    listen(canvas) {
      const fingers = new Map();
      const place = (event) => {
        const box = canvas.getBoundingClientRect();
        return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
      };
      canvas.addEventListener("pointerdown", (event) => {
        fingers.set(event.pointerId, place(event));
        if (this.zoom > 1 || fingers.size > 1) canvas.setPointerCapture(event.pointerId);
      });
      canvas.addEventListener("pointermove", (event) => {
        const before = fingers.get(event.pointerId);
        if (!before) return;
        const now = place(event);
        const other = [...fingers.entries()].find(([id]) => id !== event.pointerId);
        if (other) {
          const away = (one) => Math.hypot(one.x - other[1].x, one.y - other[1].y) || 1e-6;
          this.zoomBy(away(now) / away(before), (now.x + other[1].x) / 2, (now.y + other[1].y) / 2);
        }
        if (this.zoom > 1) this.moveBy((before.x - now.x) / fingers.size, (before.y - now.y) / fingers.size);
        fingers.set(event.pointerId, now);
      });
      for (const end of ["pointerup", "pointercancel", "pointerleave"]) {
        canvas.addEventListener(end, (event) => fingers.delete(event.pointerId));
      }
      canvas.addEventListener("dblclick", (event) => {
        const at = place(event);
        if (this.zoom > 1) this.reset();
        else this.zoomBy(3, at.x, at.y);
      });
      canvas.addEventListener(
        "wheel",
        (event) => {
          // The bare wheel scrolls the page, as everywhere on it.
          if (!event.ctrlKey && !event.metaKey) return;
          event.preventDefault();
          const at = place(event);
          this.zoomBy(Math.exp(-event.deltaY / 300), at.x, at.y);
        },
        { passive: false },
      );
    }
  }

  return { Held, STEP };
})();
