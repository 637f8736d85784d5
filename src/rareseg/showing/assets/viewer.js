// The viewer: which run, image and class is looked at, at which threshold, and what the report says of it there.
// Every number that it writes stands in the report; nothing is counted from the pictures.
(() => {
  const stored = document.getElementById("viewer-data");
  if (!stored) return;
  const album = JSON.parse(stored.textContent);
  const get = (id) => document.getElementById(id);
  // `decided`: the map is looked at as its likeliest classes, not from a threshold on.
  const state = { run: 0, view: 0, name: "", mode: "errors", point: 0, decided: false };
  const layers = [document.createElement("canvas"), document.createElement("canvas")];
  const seen = { photo: null, labels: null, truth: null, map: null, given: null, turn: 0 };
  const colours = Overlay.palette();
  const run = () => album.runs[state.run];
  const view = () => run().views[state.view];
  const facts = () => run().classes.find((one) => one.name === state.name);
  const label = () => run().classes.indexOf(facts());
  const spell = (value) => (value === null || value === undefined ? "–" : value.toFixed(3));
  const cache = new Map();

  function kept(number, read) {
    if (!cache.has(number)) cache.set(number, read(album.pictures[number]));
    return cache.get(number);
  }

  const curve = new LiveCurve(get("viewer-curve"), (index) => choosePoint(index));
  const panes = new Panes.Held([get("viewer-photo"), get("viewer-map")], (context, number) => {
    if (!seen.photo) return;
    const { width, height } = panes.size;
    context.drawImage(seen.photo, 0, 0, width, height);
    if (state.mode === "photo" || (number === 0 && state.mode !== "classes")) return;
    // Grey and darker, so that colours over it are told apart.
    context.globalCompositeOperation = "saturation";
    context.fillStyle = "#808080";
    context.fillRect(0, 0, width, height);
    context.globalCompositeOperation = "source-over";
    context.fillStyle = "rgba(0, 0, 0, 0.45)";
    context.fillRect(0, 0, width, height);
    context.drawImage(layers[number], 0, 0, width, height);
  });

  function fill(select, texts, chosen) {
    select.replaceChildren(
      ...texts.map((text, value) => Object.assign(document.createElement("option"), { textContent: text, value })),
    );
    select.value = chosen;
  }

  // The classes of the image at hand whose answers were embedded.
  function names() {
    const all = run().classes.map((one) => one.name);
    return run().source === "classes" ? all : all.filter((_, number) => String(number) in view().answers);
  }

  function chooseRun(number, image) {
    state.run = number;
    const same = run().views.findIndex((one) => one.image === image);
    fill(get("viewer-image"), run().views.map(titleOf), 0);
    const several = run().classes.length > 2 || run().overlapping;
    get("viewer-mode-classes").hidden = !several;
    if (!several && state.mode === "classes") chooseMode("errors");
    Captions.nameColours(get("viewer-legend"), run().classes.map((one) => one.name));
    chooseView(Math.max(same, 0));
  }

  function titleOf(one) {
    const score = one.iou === null ? "" : `, IoU ${one.iou.toFixed(2)}`;
    return `${one.why}${score} · ${one.title}`;
  }

  function chooseView(number) {
    state.view = (number + run().views.length) % run().views.length;
    get("viewer-image").value = state.view;
    const held = names();
    const wanted = held.includes(state.name) ? state.name : held.includes(view().name) ? view().name : held[0];
    fill(get("viewer-class"), held, held.indexOf(wanted));
    get("viewer-class").closest("label").hidden = held.length < 2;
    panes.fit(view().width, view().height);
    panes.reset();
    chooseClass(wanted);
  }

  function chooseClass(name) {
    const before = state.name === name ? points()[state.point]?.threshold : undefined;
    state.name = name;
    const others = album.runs.filter((one) => one !== run()).map((one) => pointsOf(one, name));
    curve.show(points(), others, facts()?.share ?? 0);
    const slider = get("viewer-threshold");
    slider.max = Math.max(points().length - 1, 0);
    slider.disabled = points().length < 2;
    get("viewer-ranks-nothing").hidden = points().length > 0;
    get("viewer-curve").toggleAttribute("hidden", !points().length);
    presets();
    load().catch((error) => say(error.message));
    if (byLikeliest() && (before === undefined || state.decided)) chooseDecided();
    else choosePoint(before === undefined ? (facts()?.start ?? 0) : nearest(before));
  }

  function pointsOf(one, name) {
    return one.classes.find((held) => held.name === name)?.points ?? [];
  }
  const points = () => facts()?.points ?? [];

  function nearest(threshold) {
    const odds = (value) => Math.log(Math.max(value, 1e-9) / Math.max(1 - value, 1e-9));
    const away = points().map((one) => Math.abs(odds(one.threshold) - odds(threshold)));
    return Math.max(away.indexOf(Math.min(...away)), 0);
  }

  // Whether the map gives the likeliest class of all, so that thresholds are for looking only.
  const byLikeliest = () => run().decision === "argmax" && points().length > 0;
  const LIKELIEST = "as the map decides: the likeliest class";

  function choosePoint(index) {
    state.decided = false;
    state.point = Math.min(Math.max(index, 0), Math.max(points().length - 1, 0));
    const one = points()[state.point];
    tell(one ?? facts()?.scores, one ? `${Number(one.threshold.toPrecision(3))}` : "–", one?.named ?? "");
  }

  function chooseDecided() {
    state.decided = true;
    state.point = facts()?.start ?? 0;
    tell(facts()?.scores, "none", LIKELIEST);
  }

  // Write the numbers of what is chosen, and move the slider and the point of the curve there.
  function tell(numbers, threshold, named) {
    const one = points()[state.point];
    get("viewer-threshold").value = state.point;
    for (const key of ["precision", "recall", "iou"]) get(`viewer-${key}`).textContent = spell(numbers?.[key]);
    get("viewer-told").textContent = threshold;
    get("viewer-named").textContent = named;
    get("viewer-at").hidden = !one || state.decided;
    get("viewer-threshold").setAttribute("aria-valuetext", one ? `threshold ${threshold}` : "none");
    for (const button of get("viewer-presets").children) {
      const own = state.decided ? "decided" : String(state.point);
      button.setAttribute("aria-pressed", String(button.dataset.point === own));
    }
    curve.move(state.decided ? numbers : one);
    redraw();
    if (one) say(`Precision ${spell(numbers.precision)}, recall ${spell(numbers.recall)}, IoU ${spell(numbers.iou)}.`);
  }

  function presets() {
    const named = points().map((one, index) => [one.named, index, choosePoint]).filter(([text]) => text);
    if (byLikeliest()) named.unshift([LIKELIEST, "decided", chooseDecided]);
    get("viewer-presets").replaceChildren(
      ...named.map(([text, index, choose]) => {
        const button = document.createElement("button");
        Object.assign(button, { type: "button", textContent: text });
        button.dataset.point = index;
        button.addEventListener("click", () => choose(index));
        return button;
      }),
    );
  }

  // Read the pictures of what is chosen; a later choice overtakes an earlier one.
  async function load() {
    const turn = (seen.turn += 1);
    const one = view();
    const answer = one.answers[String(label())];
    const [photo, labels, map, given] = await Promise.all([
      kept(one.photo, Pictures.imageOf),
      kept(one.truth, Pictures.greyOf),
      kept(one.given, Pictures.greyOf),
      answer === undefined ? null : kept(answer, Pictures.greyOf),
    ]);
    if (turn !== seen.turn) return;
    Object.assign(seen, { photo, labels, map, given, truth: Overlay.truthOf(labels, label(), run().overlapping) });
    for (const layer of layers) [layer.width, layer.height] = [labels.width, labels.height];
    redraw();
  }

  // Where the class is given: as the map was decided, or from another threshold on.
  function givenNow() {
    const one = points()[state.point];
    const decided = !one || state.decided || (run().decision === "threshold" && state.point === facts().start);
    if (decided) return Overlay.givenAs(seen.map, label(), run().overlapping);
    return seen.given ? Overlay.givenAbove(seen.given, one.threshold) : null;
  }

  function redraw() {
    const { truth, labels, map } = seen;
    if (!truth || truth.length !== layers[0].width * layers[0].height) return;
    if (state.mode === "classes") {
      const rarestFirst = run().classes.map((one, place) => [one.share, place]).sort((a, b) => a[0] - b[0]);
      const order = rarestFirst.map(([, place]) => place);
      [labels, map].forEach((grey, number) =>
        paint(number, (picture) => Overlay.paintClasses(picture, grey, order.length, run().overlapping, order)),
      );
    } else paint(1, (picture) => Overlay.paint(picture, state.mode, truth, givenNow(), colours));
    get("viewer-working").hidden = !points().length || state.mode === "classes";
    describe();
    panes.redraw();
  }

  function paint(number, draw) {
    const context = layers[number].getContext("2d");
    const picture = context.createImageData(layers[number].width, layers[number].height);
    draw(picture);
    context.putImageData(picture, 0, 0);
  }

  function describe() {
    const one = points()[state.point];
    const from = state.decided ? ", the likeliest class" : one ? `, threshold ${one.threshold.toPrecision(3)}` : "";
    const words = Captions.of(state.mode, state.name, view().title, from);
    ["photo", "map"].forEach((pane, number) => {
      get(`viewer-${pane}`).setAttribute("aria-label", words.labels[number]);
      get(`viewer-${pane}-caption`).textContent = words.captions[number];
    });
    const { scale, top, left } = view();
    const part = top || left ? `The part of the image that begins at row ${top}, column ${left}. ` : "";
    get("viewer-part").textContent = part + (scale < 1 ? `Drawn at ${(100 * scale).toFixed(0)} % of its size.` : "");
    for (const item of get("viewer-legend").children) item.hidden = !item.dataset.modes.split(" ").includes(state.mode);
  }

  function chooseMode(mode) {
    state.mode = mode;
    get("viewer-app").dataset.mode = mode;
    for (const radio of document.getElementsByName("viewer-mode")) radio.checked = radio.value === mode;
    redraw();
  }

  let waiting = 0;
  // Told to screen readers once a slider rests.
  function say(text) {
    clearTimeout(waiting);
    waiting = setTimeout(() => (get("viewer-said").textContent = text), 500);
  }

  const KEYS = {
    "+": () => panes.zoomBy(Panes.STEP),
    "=": () => panes.zoomBy(Panes.STEP),
    "-": () => panes.zoomBy(1 / Panes.STEP),
    0: () => panes.reset(),
    ArrowLeft: () => panes.moveBy(-0.15, 0),
    ArrowRight: () => panes.moveBy(0.15, 0),
    ArrowUp: () => panes.moveBy(0, -0.15),
    ArrowDown: () => panes.moveBy(0, 0.15),
    1: () => chooseMode("photo"),
    2: () => chooseMode("truth"),
    3: () => chooseMode("given"),
    4: () => chooseMode("errors"),
    5: () => !get("viewer-mode-classes").hidden && chooseMode("classes"),
    "[": () => choosePoint(state.point - 1),
    "]": () => choosePoint(state.point + 1),
    n: () => chooseView(state.view + 1),
    p: () => chooseView(state.view - 1),
  };

  get("viewer-app").addEventListener("keydown", (event) => {
    const native = event.target.matches("input, select, button");
    const act = KEYS[event.key];
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    // What has a meaning of its own on a slider or a list keeps it.
    if (!act || !plain || (native && !["[", "]", "+", "-"].includes(event.key))) return;
    event.preventDefault();
    act();
  });

  const onChange = (id, act) => get(id).addEventListener("change", (event) => act(Number(event.target.value)));
  onChange("viewer-run", (number) => chooseRun(number, view().image));
  onChange("viewer-image", chooseView);
  onChange("viewer-class", (number) => chooseClass(names()[number]));
  get("viewer-threshold").addEventListener("input", (event) => choosePoint(Number(event.target.value)));
  for (const radio of document.getElementsByName("viewer-mode")) {
    radio.addEventListener("change", () => chooseMode(radio.value));
  }
  const onClick = (id, act) => get(id).addEventListener("click", act);
  onClick("viewer-next", () => chooseView(state.view + 1));
  onClick("viewer-previous", () => chooseView(state.view - 1));
  onClick("viewer-closer", () => panes.zoomBy(Panes.STEP));
  onClick("viewer-farther", () => panes.zoomBy(1 / Panes.STEP));
  onClick("viewer-whole", () => panes.reset());

  for (const button of document.querySelectorAll("button.show")) {
    const found = album.runs.findIndex((one) => one.views.some((held) => held.image === button.dataset.image));
    button.hidden = found < 0;
    button.addEventListener("click", () => {
      const here = run().views.some((held) => held.image === button.dataset.image);
      get("viewer-run").value = here ? state.run : found;
      chooseRun(here ? state.run : found, button.dataset.image);
      get("viewer").scrollIntoView();
      get("viewer-map").focus({ preventScroll: true });
    });
  }

  get("viewer-app").hidden = false;
  fill(get("viewer-run"), album.runs.map((one) => one.name), 0);
  get("viewer-run").closest("label").hidden = album.runs.length < 2;
  chooseRun(0, "");
})();
