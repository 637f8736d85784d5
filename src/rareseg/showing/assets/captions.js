// What the viewer's pictures show, in words, and which colour is which class.
const Captions = (() => {
  const MODES = { truth: "Truth", given: "Prediction", errors: "Errors: found, missed and invented" };
  const SHORT = { truth: "labelled", given: "given by the map", errors: "found, missed and invented" };

  // Two labels for screen readers and two captions, of the left picture and of the right one. `from`: from where on
  // the class is given.
  function of(mode, name, image, from) {
    if (mode === "photo") return { labels: [`Photo ${image}`, `Photo ${image}`], captions: [image, image] };
    if (mode === "classes") {
      const labels = [`All classes as labelled on ${image}`, `All classes as the map gives them on ${image}`];
      return { labels, captions: [`${image}: all classes, as labelled`, "all classes, as the map gives them"] };
    }
    const at = mode === "truth" ? "" : from;
    const labels = [`Photo ${image}`, `${MODES[mode]} of ${name} on ${image}${at}`];
    return { labels, captions: [image, `${name}: ${SHORT[mode]}${at}`] };
  }

  // Put the colour of every class into the legend, in place of those of another run.
  function nameColours(legend, names) {
    const items = names.map((name, place) => {
      const [item, swatch] = [document.createElement("li"), document.createElement("span")];
      swatch.className = "swatch";
      swatch.style.background = Overlay.classColour(place);
      item.dataset.modes = "classes";
      item.append(swatch, name);
      return item;
    });
    for (const old of legend.querySelectorAll("[data-modes=classes]")) old.remove();
    legend.append(...items);
  }

  return { of, nameColours };
})();
