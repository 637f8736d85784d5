// The precision-recall curve beside the viewer, with a point that follows the slider.
const LiveCurve = (() => {
  const SPACE = "http://www.w3.org/2000/svg";
  const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, FOOT] = [320, 262, 40, 12, 24, 38];
  const x = (recall) => LEFT + (WIDTH - LEFT - RIGHT) * recall;
  const y = (precision) => HEIGHT - FOOT - (HEIGHT - TOP - FOOT) * precision;

  function add(parent, kind, attributes, text) {
    const made = document.createElementNS(SPACE, kind);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    parent.append(made);
    return made;
  }

  function pathOf(points) {
    return `M${points.map((one) => `${x(one.recall).toFixed(1)} ${y(one.precision).toFixed(1)}`).join("L")}`;
  }

  function grid(svg) {
    for (const tick of [0, 0.25, 0.5, 0.75, 1]) {
      add(svg, "path", { class: "grid", d: `M${LEFT} ${y(tick)}H${WIDTH - RIGHT}` });
      add(svg, "text", { class: "tick", x: LEFT - 6, y: y(tick) + 4, "text-anchor": "end" }, tick);
      add(svg, "text", { class: "tick", x: x(tick), y: HEIGHT - FOOT + 17, "text-anchor": "middle" }, tick);
    }
    add(svg, "path", { class: "axis", d: `M${LEFT} ${y(0)}H${WIDTH - RIGHT}` });
    add(svg, "text", { class: "label", x: WIDTH - RIGHT, y: HEIGHT - 5, "text-anchor": "end" }, "recall");
    add(svg, "text", { class: "label", x: 0, y: 12 }, "precision");
  }

  class Curve {
    // `chosen` is called with the index of a point that was pointed at.
    constructor(svg, chosen) {
      this.svg = svg;
      this.points = [];
      svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
      let held = false;
      svg.addEventListener("pointerdown", (event) => {
        held = true;
        svg.setPointerCapture(event.pointerId);
        this.pick(event, chosen);
      });
      svg.addEventListener("pointermove", (event) => held && this.pick(event, chosen));
      for (const end of ["pointerup", "pointercancel"]) svg.addEventListener(end, () => (held = false));
    }

    // Draw the curve of one class; `others` are the curves of other runs, `share` the precision at random.
    show(points, others, share) {
      this.points = points;
      this.svg.replaceChildren();
      this.point = null;
      grid(this.svg);
      add(this.svg, "path", { class: "level", d: `M${LEFT} ${y(share)}H${WIDTH - RIGHT}` });
      for (const other of others) if (other.length) add(this.svg, "path", { class: "line faint", d: pathOf(other) });
      if (!points.length) return;
      add(this.svg, "path", { class: "line s1", d: pathOf(points) });
      this.cross = add(this.svg, "path", { class: "cross" });
      this.point = add(this.svg, "circle", { class: "point", r: 6.5 });
    }

    // Put the point at `one`, which need not be on the curve: a map that is not decided by a threshold is beside it.
    move(one) {
      if (!one || !this.point) return;
      this.point.toggleAttribute("hidden", one.precision === null || one.recall === null);
      const [across, down] = [x(one.recall), y(one.precision)];
      this.point.setAttribute("cx", across.toFixed(2));
      this.point.setAttribute("cy", down.toFixed(2));
      this.cross.setAttribute("d", `M${LEFT} ${down}H${across}V${y(0)}`);
    }

    pick(event, chosen) {
      const box = this.svg.getBoundingClientRect();
      const across = ((event.clientX - box.left) / box.width) * WIDTH;
      const down = ((event.clientY - box.top) / box.height) * HEIGHT;
      const away = this.points.map((one) => (x(one.recall) - across) ** 2 + (y(one.precision) - down) ** 2);
      if (away.length) chosen(away.indexOf(Math.min(...away)));
    }
  }

  return Curve;
})();
