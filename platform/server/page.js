// The page of `recolor serve`. All that users set is in the settings of a poster, plain objects
// that are never changed: `change` appends other ones to its history, an array of them. What only
// concerns the looks is in `view`.

const $ = (id) => document.getElementById(id);
const posters = []; // in the order of the strip
let current = null; // the poster that is being edited
let model = null; // what the server has said of its model
const view = {
  marked: null, // the row that is marked in the poster: a swatch's number, "paper" or "skin"
  edited: null, // the swatch whose color is being chosen
  zoomed: false,
};

// `rest` is where a slider stands while the model decides.
const SLIDERS = [
  { name: "restore", label: "How much of its age to take away", place: "restore", rest: 1 },
  { name: "strength", label: "Strength", place: "adjust", rest: 1, ofPalettes: true },
  { name: "vividness", label: "Vividness", place: "adjust", rest: 1 },
  { name: "neutrals", label: "White, gray and black, at least", place: "typed", rest: 0.3,
    ofPalettes: true },
  { name: "temperature", label: "Temperature: lower is bolder", place: "advanced", rest: 0.4,
    ofPalettes: true, logarithmic: true },
];
const WORDS = { source: "Restored", auto: "Best-fitting scheme", none: "Free" };
const NEW_COLORS = ["#0b4f5c", "#f28c28", "#e9c46a", "#8c2f39", "#2a9d8f", "#5b3e8a"];
const SMALL = { side: 320, format: "webp" };
const ONE_STEP = 1000; // milliseconds: what goes on without such a pause is undone at once
const LARGEST_PREVIEW = 4096; // pixels along a side, as the server allows
const SOON = 300; // milliseconds: work that is done sooner is not shown
const NEAR = 4; // pixels: a pointer that moves less has clicked

/* Elements */

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const button = (label, onclick, properties) =>
  make("button", { type: "button", onclick, ...properties }, label);

function swatchBar(swatch) {
  // Roots of the shares: a scheme is chosen for its rarest colors, too.
  const widths = swatch.map(([, share]) => Math.sqrt(share));
  const total = widths.reduce((sum, width) => sum + width);
  let end = 0;
  const stops = swatch.map(([color], index) =>
    `${color} ${end}% ${(end += (100 * widths[index]) / total)}%`);
  const bar = make("span", { className: "swatch" });
  bar.style.background = `linear-gradient(90deg, ${stops})`;
  return bar;
}

/** Let a list have so many rows, making or removing the last ones, and return them. */
function rowsOf(list, count, makeRow) {
  while (list.children.length > count) list.lastElementChild.remove();
  while (list.children.length < count) list.append(makeRow(list.children.length));
  return [...list.children];
}

function show(image, url) {
  image.hidden = !url;
  if (url) image.src = url;
}

/** Keep a picture under a name of its owner, in the place of an older one. */
function keepPicture(owner, name, blob) {
  if (owner[name]) URL.revokeObjectURL(owner[name]);
  owner[name] = URL.createObjectURL(blob);
}

/* What is said */

const say = (text) => { $("caption").textContent = text; };
const inMegabytes = (bytes) => `${Math.ceil(bytes / 2 ** 20)} MB`;

function sayTrouble(text) {
  $("trouble").textContent = text;
  $("trouble").hidden = !text;
}

/** Say what is wrong with an option at its field, and anything else under the poster. */
function sayFault({ message, field }) {
  const { donor, palette } = current ? settingsOf(current) : NO_SETTINGS;
  if (field === "palette" && donor) field = "donor";
  else if (field === "palette" && isTyped(palette)) field = "typed";
  const place = document.querySelector(`[data-field="${field}"]`) ?? $("fault");
  place.textContent = message;
  place.hidden = false;
  const details = place.closest("details");
  if (details) details.open = true;
  say("");
}

function clearFaults() {
  for (const place of document.querySelectorAll("#fault, [data-field]")) place.hidden = true;
}

/* The server */

const fault = (message, facts) => Object.assign(new Error(message), facts);

const pause = (seconds, signal) => new Promise((resolve, reject) => {
  setTimeout(resolve, 1000 * seconds);
  signal?.addEventListener("abort", () => reject(signal.reason));
});

/** Do as fetch does, and tell how much of the body has been sent, 0 to 1. */
const upload = (path, { method, body, signal, onProgress }) => new Promise((resolve, reject) => {
  const request = new XMLHttpRequest();
  request.open(method, path);
  request.responseType = "blob";
  request.upload.onprogress = ({ loaded, total }) => onProgress(loaded / total);
  request.onload = () => {
    const headers = { "Retry-After": request.getResponseHeader("Retry-After") ?? "" };
    resolve(new Response(request.response, { status: request.status, headers }));
  };
  request.onerror = () => reject(new TypeError("no answer"));
  request.onabort = () => reject(signal.reason);
  signal.addEventListener("abort", () => request.abort());
  request.send(body);
});

/** Ask the server for a body and headers, and don't give up while it is busy or gone. */
async function ask(path, options = {}) {
  for (let tries = 0; ; tries++) {
    let answer, body;
    let seconds = Math.min(2 ** tries, 8);
    try {
      options.signal?.throwIfAborted();
      answer = await (options.onProgress ? upload : fetch)(path, options);
      body = await answer.blob();
    } catch (error) {
      if (options.signal?.aborted) throw error;
      sayTrouble("The server does not answer. Is it still running? Trying again …");
    }
    if (answer?.status === 503) {
      seconds = Number(answer.headers.get("Retry-After")) || seconds;
      sayTrouble(`The server is busy. Trying again in ${seconds} s …`);
    } else if (body) {
      sayTrouble("");
      if (answer.ok) return { body, headers: answer.headers };
      const { error, field } = await body.text().then(JSON.parse).catch(() => ({}));
      const { status } = answer;
      throw fault(error ?? `The server answered ${status}.`, { status, field });
    }
    await pause(seconds, options.signal);
  }
}

const askJson = async (...request) => JSON.parse(await (await ask(...request)).body.text());

/**
 * Send a picture, or a recipe, for the server to keep; once more where it has forgotten it. A
 * signal ends it, and `onProgress` is told how much of it has been sent.
 */
async function send(picture, { signal, onProgress } = {}) {
  const { file, path = "pictures" } = picture;
  const most = model.limits.bytes;
  if (file.size > most) {
    const [has, limit] = [file.size, most].map(inMegabytes);
    throw fault(`${has} is too large: this server takes ${limit} at most`);
  }
  // Reading comes first: of a folder, or a file that is gone, fetch says that the server is gone.
  const body = await file.arrayBuffer().catch(() => {
    throw fault("can't be read: is it a folder, or was it moved?");
  });
  const answer = await askJson(path, { method: "POST", body, signal, onProgress });
  if (!picture.id) Object.assign(picture, answer);
  return answer;
}

/** Get something of a picture: how it was, it recolored, or its swatches. */
async function askOf(picture, which, parameters, signal, options = {}) {
  const path = `pictures/${picture.id}/${which}?${new URLSearchParams(parameters)}`;
  try {
    return await ask(path, { ...options, signal });
  } catch (error) {
    if (error.status !== 404) throw error;
    // The server has forgotten it, or the one that the palette is of.
    const donor = picture.history && settingsOf(picture).donor;
    await Promise.all([picture, donor].filter(Boolean).map((one) => send(one, { signal })));
    return ask(path, { ...options, signal });
  }
}

const askPicture = async (...request) => (await askOf(...request)).body;

/* Long work: while it goes on, a row says how far it is, and can cancel it */

/** Do long work: a function of a signal that cancels it, and of one that says how far it is. */
async function work(task, cancelLabel = "Cancel") {
  const controller = new AbortController();
  const { signal } = controller;
  const [label, progress] = [make("span"), make("progress")];
  const cancel = button(cancelLabel, () => controller.abort());
  const row = make("li", { className: "row" }, make("label", {}, label, progress), cancel);
  const begun = document.activeElement;
  // Without a share of the work, 0 to 1, that is done, it is not known.
  const report = (text, share) => {
    if (!label.textContent) say(`${text} …`); // once, or screen readers would never be silent
    label.textContent = text;
    cancel.ariaLabel = `${cancelLabel}: ${text}`;
    if (share === undefined) progress.removeAttribute("value");
    else progress.value = share;
  };
  const showing = setTimeout(() => $("works").append(row), SOON);
  try {
    await task(signal, report);
  } catch (error) {
    if (!signal.aborted) throw error;
    say("Cancelled.");
  } finally {
    clearTimeout(showing);
    const isLeft = row.contains(document.activeElement);
    row.remove();
    if (isLeft) begun.focus();
  }
}

/**
 * Do something with posters one by one, as a part of long work. Returns what came of it, without
 * those where it failed, which is said.
 */
async function withEach(wanted, deed, signal, report, task) {
  const [found, failed] = [[], []];
  report(`${deed}s 1 to ${wanted.length}`, 0);
  for (const [index, poster] of wanted.entries()) {
    report(`${deed} ${index + 1} of ${wanted.length}`, index / wanted.length);
    try {
      found.push(await task(poster));
    } catch (error) {
      if (signal.aborted) throw error;
      failed.push(`${poster.name}: ${error.message}`);
    }
  }
  if (failed.length) sayFault({ message: failed.join(" ") });
  return found;
}

/** Let a button begin long work, one at a time. */
function workBy(id, task) {
  $(id).onclick = async ({ currentTarget }) => {
    if (currentTarget.ariaBusy === "true") return;
    currentTarget.ariaBusy = "true";
    clearFaults();
    await work(task).catch(sayFault);
    currentTarget.ariaBusy = "false";
  };
}

/* The settings of a poster: null where the model decides */

const NO_SETTINGS = {
  palette: null, donor: null, crop: null, paper: null, skin: null,
  assigned: {}, // new colors by a swatch's own
  locked: [], // swatches' own colors
  hints: [], // places in per cent, and their colors
  ...Object.fromEntries(SLIDERS.map(({ name }) => [name, null])),
};

const settingsOf = ({ history, step }) => history[step];

/** The parameters of a request, as the server calls them. */
function query(poster) {
  const { donor, hints, assigned, locked, paper, skin, ...settings } = settingsOf(poster);
  const palette = donor ? donor.id : settings.palette;
  const given = Object.entries({ ...settings, palette }).filter(([, value]) => value !== null);
  const stays = Object.entries({ neutrals: keeps(poster, "paper"), skin: keeps(poster, "skin") });
  const words = stays.filter(([, does]) => does).map(([word]) => word);
  const locks = paper === null && skin === null ? [] : words.length ? words : ["none"];
  const swatches = Object.entries(assigned).map(([own, color]) => ["assign", `${own}=${color}`]);
  if (palette === "none") swatches.length = 0; // It gives each pixel a color of its own.
  else locks.push(...locked);
  return [...given, ...swatches, ...locks.map((lock) => ["lock", lock]),
    ...hints.map(({ x, y, color }) => ["hint", `${x}%,${y}%=${color}`])];
}

/**
 * Append new settings to a poster's history. They are one step back, together with those before
 * that concern the same thing, if it is named, and came a moment ago.
 */
function record(poster, settings, thing = null) {
  const before = settingsOf(poster);
  const now = performance.now();
  const goesOn = thing && thing === poster.thing && now - poster.changed < ONE_STEP;
  if (!goesOn) poster.step++;
  poster.history.splice(poster.step, Infinity, { ...before, ...settings });
  Object.assign(poster, { thing, changed: now });
  storeSoon(poster);
}

/** Take new settings for the poster that is edited; its preview follows. */
function change(settings, thing) {
  const before = settingsOf(current);
  if (Object.entries(settings).every(([name, value]) => before[name] === value)) return;
  record(current, settings, thing);
  view.marked = null; // or the rest would stay dim
  showChange();
}

/** Go back or forward in what was done to the poster. */
function go(steps) {
  const poster = current;
  const step = poster.step + steps;
  if (!(step in poster.history)) return;
  Object.assign(poster, { step, thing: null });
  storeSoon(poster);
  showChange();
}

function showChange() {
  clearFaults();
  showSettings();
  previewSoon();
}

function showSettings() {
  const { color, found, margin, step, history } = current;
  const settings = settingsOf(current);
  const { donor, palette, crop } = settings;
  const chosen = donor ? null : palette ?? usualPalette();
  for (const choice of document.querySelectorAll("[data-palette]")) {
    choice.ariaPressed = String(choice.dataset.palette === chosen);
    choice.disabled = choice.dataset.palette === "source" && color === "gray";
  }
  const typed = isTyped(palette) ? palette : "";
  if ($("rows").dataset.text !== typed) showTyped(typed);
  show($("donor-picture"), donor?.thumb);
  $("donor-name").textContent = donor?.name ?? "Drop it here, or choose it.";
  $("found").textContent = color === "one ink"
    ? "Printed in one ink, which “Restored” keeps."
    : color === "gray" ? "A gray poster." : found ? `Found: ${found}.` : "Nothing to restore.";
  $("cropping").hidden = !margin;
  $("crop").checked = crop === "auto";
  for (const slider of SLIDERS) slider.show?.(settings[slider.name]);
  showSwatches();
  showHints();
  $("undo").disabled = !step;
  $("redo").disabled = step === history.length - 1;
}

function makeSlider(slider) {
  const { name, label, place, rest, logarithmic } = slider;
  const { low, high, default: usual } = model.options[name];
  const toSlider = logarithmic ? Math.log10 : Number;
  const ofSlider = (value) => Number((logarithmic ? 10 ** value : Number(value)).toPrecision(3));
  const inWords = (value) => logarithmic ? value.toPrecision(2) : `${Math.round(100 * value)} %`;
  const [min, max] = [low, high].map(toSlider);
  const input = make("input", { type: "range", id: name, min, max, step: "0.01" });
  const output = make("output", { htmlFor: name });
  const reset = button("↺", () => { change({ [name]: null }); input.focus(); },
    { className: "small", ariaLabel: `Reset: ${label}`, title: "Reset" });
  const wrong = make("p", { className: "fault", role: "alert", hidden: true });
  wrong.dataset.field = name;
  input.oninput = () => change({ [name]: ofSlider(input.value) }, name);
  slider.show = (value) => {
    const shown = value ?? usual;
    input.value = toSlider(shown ?? rest);
    input.ariaValueText = output.textContent = shown === null ? "automatic" : inWords(shown);
    reset.hidden = value === null;
  };
  document.querySelector(`[data-sliders=${place}]`).append(make("div", { className: "slider" },
    make("label", { htmlFor: name }, label), reset, output, input, wrong));
  slider.show(null);
}

/**
 * Let all other posters go with this one, as `recolor apply --series` does: one scheme, the same
 * settings, and what has one of its colors gets what that one became.
 */
async function applyToAll(signal, report) {
  const guide = current;
  const others = posters.filter((poster) => poster.id && poster !== guide);
  report(`Reading the colors of ${guide.name}`);
  const file = await askPicture(guide, "recipe", query(guide), signal);
  const request = { method: "POST", body: file };
  const found = await withEach(others, "Matching the colors of poster", signal, report,
    async (poster) => {
      const { body } = await askOf(poster, "series", [], signal, request);
      return { poster, taken: { ...JSON.parse(await body.text()), file } };
    });
  const left = found.filter(({ poster }) => posters.includes(poster));
  for (const { poster, taken } of left) {
    // One that is gray has no colors of its own: it takes the scheme that fits it.
    const isGray = taken.query.palette === "source" && !poster.has_color;
    if (isGray || !model.takes_palette) delete taken.query.palette;
    useRecipe(poster, taken);
  }
  if (left.some(({ poster }) => poster === current)) showChange();
  say(`${left.length} posters go with ${guide.name} now.`);
}

/* Palettes */

const choosePalette = (palette) => change({ palette, donor: null });

/** The palette that the server takes where none is chosen. */
const usualPalette = () => current.suggestions[0]?.palette ?? null;

/** Whether a palette is colors that were typed, rather than a word or a scheme's name. */
const isTyped = (palette) => palette !== null && !(palette in WORDS)
  && !model.schemes.some((scheme) => scheme.palette === palette);

function paletteChoice(palette, name, ...pictures) {
  const choice = button("", () => choosePalette(palette), { className: "choice" });
  choice.dataset.palette = palette;
  choice.append(...pictures, name);
  return choice;
}

function showSuggestions() {
  $("suggestions").replaceChildren(...current.suggestions.map((suggestion) => {
    const { palette, name, swatch, picture } = suggestion;
    const shown = make("img", { alt: "", ...(picture && { src: picture }) });
    return paletteChoice(palette, WORDS[palette] ?? name, shown, swatchBar(swatch));
  }));
}

/** Paint the suggestions one by one, for as long as the poster is edited. */
async function paintSuggestions(poster) {
  if (poster.painting) return;
  poster.painting = true;
  for (const [index, suggestion] of poster.suggestions.entries()) {
    if (poster !== current) break;
    if (suggestion.picture) continue;
    const parameters = { ...SMALL, palette: suggestion.palette };
    const blob = await askPicture(poster, "recolored", parameters).catch(() => null);
    if (!blob) continue; // Its swatch is shown all the same.
    keepPicture(suggestion, "picture", blob);
    if (poster === current) {
      $("suggestions").children[index].querySelector("img").src = suggestion.picture;
    }
  }
  poster.painting = false;
}

/** Turn a color that was typed into #rrggbb; null if it is none. */
function colorOf(text) {
  const brush = document.createElement("canvas").getContext("2d");
  const [color, again] = ["#000000", "#ffffff"].map((other) => {
    brush.fillStyle = other; // It stays where the browser does not know the name.
    brush.fillStyle = text;
    return brush.fillStyle;
  });
  return color === again && color.startsWith("#") ? color : null;
}

/** Turn the text of typed colors into its parts, each with a color that a picker can show. */
function parseTyped(text) {
  return text.split(",").filter((part) => part.trim()).map((part) => {
    const [name, weight = "1"] = part.split(":").map((word) => word.trim());
    return { name, weight, color: colorOf(name) ?? "#000000" };
  });
}

/** Show typed colors as text, and as rows with a picker each. */
function showTyped(text) {
  const parts = parseTyped(text);
  $("rows").dataset.text = $("typed").value = text;
  // The rows stay as they are while one is edited: a picker that is open would be closed.
  const edited = () => {
    const typed = parts.map(({ name, weight }) => weight === "1" ? name : `${name}:${weight}`);
    $("rows").dataset.text = $("typed").value = typed.join();
    change({ palette: typed.join() || null, donor: null }, "typed");
  };
  $("rows").replaceChildren(...parts.map((part, index) => {
    const { color, weight: value } = part;
    const name = `Color ${index + 1}`;
    const picker = make("input", { type: "color", value: color, ariaLabel: name });
    const weight = make("input",
      { type: "number", min: 0, step: "any", value, ariaLabel: `${name}: weight` });
    picker.oninput = () => { part.name = picker.value; edited(); };
    weight.onchange = () => { part.weight = weight.value || "1"; edited(); };
    const remove = () => {
      parts.splice(index, 1);
      edited();
      showTyped($("typed").value);
      $("add-color").focus();
    };
    return make("li", { className: "row" }, picker, weight,
      button("×", remove, { className: "small", ariaLabel: `Remove ${name}` }));
  }));
}

function addColor() {
  const { length } = parseTyped($("typed").value);
  const color = NEW_COLORS[length % NEW_COLORS.length];
  choosePalette(length ? `${$("typed").value},${color}` : color);
}

/** Get a donor's thumbnail. */
async function showDonor(donor) {
  donor.thumb = null; // That of another visit is gone.
  keepPicture(donor, "thumb", await askPicture(donor, "original", SMALL));
  if (current?.id) showSettings();
}

/** Take the palette of another poster. */
async function takeDonor(file) {
  const poster = current;
  const donor = { file, name: file.name };
  clearFaults();
  $("donor-name").textContent = `Sending ${donor.name} …`;
  try {
    await work(async (signal, report) => {
      const onProgress = (share) => report(`Sending ${donor.name}`, share);
      onProgress(0);
      await send(donor, { signal, onProgress });
      await showDonor(donor);
      record(poster, { donor, palette: null });
      if (poster === current) showChange();
    });
    showSettings();
  } catch ({ message }) {
    showSettings();
    sayFault({ message, field: "donor" });
  }
}

/* Recipes: the settings that a result was made with, inside of its file or as JSON */

const RECIPE_MARK = "urn:poster-recolor:xmp/";
let recipe = null; // one that waits for its poster

async function hasRecipe(file) {
  if (file.name.endsWith(".json")) return true;
  const bytes = await file.arrayBuffer().catch(() => new ArrayBuffer());
  return new TextDecoder("latin1").decode(bytes).includes(RECIPE_MARK);
}

/** Take the settings of a recipe for the poster that is edited, or else for the next ones. */
async function takeRecipe(file) {
  const poster = current?.id ? current : null;
  clearFaults();
  try {
    const taken = { ...await send({ file, path: "recipes" }), file };
    if (poster) {
      useRecipe(poster, taken);
      if (poster === current) showChange();
    } else {
      recipe = taken;
      $("refused").textContent = `${file.name} holds the settings of a result. `
        + "Drop the poster that is to have them.";
    }
    const { differences } = taken;
    if (poster && differences.length) {
      sayFault({ message: `It was made by ${differences.join(", ")}: this may come out otherwise.` });
    }
  } catch ({ message }) {
    if (poster) sayFault({ message: `${file.name}: ${message}` });
    else $("refused").textContent = `${file.name}: ${message}`;
  }
}

/** Give a poster the settings of a recipe. */
function useRecipe(poster, { file, query, recipe: { options } }) {
  const { palette = null, crop = null, hint = [], assign: assigned = [], lock = [] } = query;
  const { name } = options.palette ?? {};
  const isKept = palette !== null && palette !== options.palette && palette !== name;
  const pairs = (texts) => texts.map((text) => text.split("="));
  const isWord = (text) => ["none", "neutrals", "skin"].includes(text);
  const [words, locked] = [true, false].map((are) => lock.filter((one) => isWord(one) === are));
  const place = (text, side) =>
    text.includes("%") ? parseFloat(text) : toPercent((100 * parseFloat(text)) / side);
  record(poster, {
    ...NO_SETTINGS,
    ...Object.fromEntries(SLIDERS.map((slider) => [slider.name, query[slider.name] ?? null])),
    palette: isKept ? null : palette,
    donor: isKept ? { id: palette, name, file, path: "recipes" } : null,
    crop: crop === "auto" ? crop : null,
    paper: words.length ? words.includes("neutrals") : null,
    skin: words.length ? words.includes("skin") : null,
    locked: locked.map(colorOf),
    assigned: Object.fromEntries(pairs(assigned).map((colors) => colors.map(colorOf))),
    hints: pairs(hint).map(([where, color]) => {
      const [x, y] = where.split(",");
      return { x: place(x, poster.width), y: place(y, poster.height),
        color: colorOf(color) ?? "#808080" };
    }),
  });
}

/* Swatches: the poster's colors, and what each becomes */

const PARTS = { paper: "Paper and white letters", skin: "Skin of faces" };
const LEAST_PART = 0.001; // of the poster: with less, a part has no row
const MAP_SIDE = 600;

/** The poster's swatches, the largest first; their map may still be on its way. */
const swatchesOf = ({ map, swatches }) => (map ?? { swatches }).swatches;

/** Find the swatches that some colors are of: they shift a little with restoring. */
function ownColors(poster, colors) {
  const swatches = swatchesOf(poster);
  const found = {};
  for (const color of colors) {
    const away = swatches.map((swatch) => distance(swatch.color, color));
    found[away.indexOf(Math.min(...away))] = color;
  }
  return found;
}

const channels = (color) => [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));

function distance(color, other) {
  const [one, two] = [color, other].map(channels);
  return Math.hypot(...one.map((value, index) => value - two[index]));
}

/** Whether paper, or skin, stays as it is. It does by default, where the poster has color. */
const keeps = (poster, part) => settingsOf(poster)[part] ?? poster.color === "colored";

/** What a swatch is to become: the color that was chosen for it, or else what it became. */
function targetOf(index) {
  const { assigned } = settingsOf(current);
  const chosen = assigned[ownColors(current, Object.keys(assigned))[index]];
  return chosen ?? current.became?.[index] ?? swatchesOf(current)[index].color;
}

/** Return settings in which a swatch has this color, or, if it is null, no chosen one. */
function withColor({ assigned, locked }, index, color) {
  const { [ownColors(current, Object.keys(assigned))[index]]: _, ...others } = assigned;
  if (color) others[swatchesOf(current)[index].color] = color;
  return { assigned: others, locked: withoutLock(locked, index) };
}

const withoutLock = (locked, index) =>
  locked.filter((color) => color !== ownColors(current, locked)[index]);

const assign = (index, color, thing) => change(withColor(settingsOf(current), index, color), thing);

/** Let two swatches have each other's color. */
function exchange(index, other) {
  const [color, otherColor] = [index, other].map(targetOf);
  const half = withColor(settingsOf(current), index, otherColor);
  change(withColor(half, other, color));
}

function toggleLock(index) {
  const settings = settingsOf(current);
  const isLocked = ownColors(current, settings.locked)[index];
  const { assigned, locked } = withColor(settings, index, null);
  change({ assigned, locked: isLocked ? locked : [...locked, swatchesOf(current)[index].color] });
}

const inShare = (share) => share < 0.01 ? "under 1 %" : `${Math.round(100 * share)} %`;

function showSwatches() {
  const { map } = current;
  const { palette, assigned, locked } = settingsOf(current);
  const swatches = palette === "none" ? [] : swatchesOf(current);
  const [chosen, fixed] = [Object.keys(assigned), locked].map((colors) =>
    ownColors(current, colors));
  if (view.edited >= swatches.length) closeEditor();
  rowsOf($("swatches"), swatches.length, makeSwatchRow).forEach((row, index) => row.show(
    swatches[index], { isChosen: index in chosen, isLocked: index in fixed }));
  const parts = Object.keys(PARTS);
  for (const part of parts) $(part).show(map?.[part] ?? 0);
  $("no-swatches").hidden = palette !== "none" || !swatchesOf(current).length;
  $("swatching").hidden = !swatchesOf(current).length && parts.every((part) => $(part).hidden);
  showEditor();
  showMark();
}

function makeSwatchRow(index) {
  const own = markButton(index);
  const target = button("", () => edit(view.edited === index ? null : index),
    { className: "target" });
  const name = make("span", { className: "grow" });
  const reset = button("↺", () => { assign(index, null); target.focus(); },
    { className: "small", title: "Undo this color" });
  const lock = button("", () => toggleLock(index), { className: "small lock" });
  const row = make("li", { className: "row" },
    make("span", { className: "pair" }, own, target), name, reset, lock);
  target.dataset.swatch = index;
  letDrag(target, index);
  row.show = (swatch, { isChosen, isLocked }) => {
    const becomes = current.became?.[index] ?? swatch.color;
    own.style.setProperty("--color", swatch.color);
    target.style.setProperty("--color", becomes);
    own.show(`${swatch.name}, ${swatch.color}`);
    target.ariaLabel = `${swatch.name} becomes ${becomes}: choose its color`;
    target.title = "Choose its color, or drag it onto another to exchange them";
    target.ariaExpanded = String(view.edited === index);
    name.replaceChildren(swatch.name, " ",
      make("span", { className: "soft" }, inShare(swatch.share)));
    reset.hidden = !isChosen;
    reset.ariaLabel = `Undo the color of ${swatch.name}`;
    showLock(lock, isLocked, swatch.name);
  };
  return row;
}

/** Make the row of paper, or of skin. */
function makePartRow(part) {
  const name = PARTS[part];
  const own = markButton(part);
  const share = make("span", { className: "soft" });
  const lock = button("", () => change({ [part]: !keeps(current, part) }),
    { className: "small lock" });
  const row = make("li", { className: "row", id: part, hidden: true },
    make("span", { className: `pair ${part}` }, own),
    make("span", { className: "grow" }, name, " ", share), lock);
  row.show = (amount) => {
    row.hidden = amount < LEAST_PART;
    own.show(name);
    share.textContent = inShare(amount);
    showLock(lock, keeps(current, part), name);
  };
  return row;
}

/** Make a button that marks in the poster where a row's color is. */
function markButton(row) {
  const own = button("", () => mark(view.marked === row ? null : row), { className: "own" });
  own.show = (name) => {
    own.ariaLabel = `Show where ${name} is`;
    own.title = "Show where it is";
    own.ariaPressed = String(view.marked === row);
  };
  return own;
}

function showLock(lock, isLocked, name) {
  lock.ariaPressed = String(isLocked);
  lock.ariaLabel = `Lock ${name}`;
  lock.title = isLocked ? "It stays as it is" : "Let it stay as it is";
}

/** Let a target be dragged onto another one, to exchange them. */
function letDrag(target, index) {
  let from = null;
  const under = ({ clientX, clientY }) =>
    document.elementFromPoint(clientX, clientY)?.closest("[data-swatch]");
  const end = () => {
    from = null;
    target.style.translate = "";
    for (const one of document.querySelectorAll(".onto, .dragged")) {
      one.classList.remove("onto", "dragged");
    }
  };
  target.onpointerdown = (event) => {
    from = event;
    target.setPointerCapture(event.pointerId);
  };
  target.onpointermove = (event) => {
    if (!from) return;
    const [x, y] = [event.clientX - from.clientX, event.clientY - from.clientY];
    if (Math.hypot(x, y) >= NEAR) target.classList.add("dragged");
    if (!target.classList.contains("dragged")) return;
    target.style.translate = `${x}px ${y}px`;
    for (const row of document.querySelectorAll(".onto")) row.classList.remove("onto");
    under(event)?.classList.add("onto");
  };
  target.onpointerup = (event) => {
    const isDragged = target.classList.contains("dragged");
    const other = isDragged && under(event);
    end();
    if (!isDragged) return;
    target.addEventListener("click", (click) => click.stopImmediatePropagation(),
      { capture: true, once: true });
    if (other && other !== target) exchange(index, Number(other.dataset.swatch));
  };
  target.onpointercancel = end;
}

/* The editor of a swatch's color, in its row */

function edit(index) {
  view.edited = index;
  showSwatches();
}

function closeEditor() {
  view.edited = null;
  $("swatching").append($("editor")); // or it would go with its row
}

function showEditor() {
  const index = view.edited;
  $("editor").hidden = index === null;
  if (index === null) return;
  const swatches = swatchesOf(current);
  const color = targetOf(index);
  $("swatch-color").value = color;
  if (document.activeElement !== $("swatch-hex")) $("swatch-hex").value = color;
  const give = (given) => assign(index, given);
  showChips("from-poster", swatches.map((swatch) => swatch.color), "Take", give);
  showChips("from-palette", paletteColors(), "Take", give);
  const others = [...swatches.keys()].filter((other) => other !== index);
  showChips("exchange", others.map(targetOf), "Exchange with",
    (_, place) => exchange(index, others[place]));
  const row = $("swatches").children[index];
  if ($("editor").parentElement !== row) row.append($("editor"));
}

/** Show colors as buttons; the group is hidden where there are none. */
function showChips(id, colors, deed, onclick) {
  $(id).parentElement.hidden = !colors.length;
  rowsOf($(id), colors.length, () => button("", null, { className: "chip" }))
    .forEach((chip, place) => {
      const color = colors[place];
      chip.style.setProperty("--color", color);
      chip.ariaLabel = `${deed} ${color}`;
      chip.title = color;
      chip.onclick = () => onclick(color, place);
    });
}

/** The colors of the palette that is chosen, where the page knows them. */
function paletteColors() {
  const { palette, donor } = settingsOf(current);
  const wanted = donor ? null : palette ?? usualPalette();
  if (wanted === null || wanted === "source") return [];
  if (isTyped(wanted)) return parseTyped(wanted).map(({ color }) => color);
  const known = [...current.suggestions, ...model.schemes];
  const found = wanted === "auto" ? current.suggestions.find(({ palette: one }) => one !== "source")
    : known.find((one) => one.palette === wanted);
  return (found?.swatch ?? []).map(([color]) => color);
}

function takeTyped() {
  const text = $("swatch-hex").value.trim();
  const color = colorOf(text) ?? colorOf(`#${text}`);
  if (color) assign(view.edited, color);
  else sayFault({ message: `“${text}” is not a color: type one as #0b4f5c`, field: "assign" });
}

/* Where swatches are in the poster */

/** Read a picture's pixels. */
async function pixelsOf(url) {
  const image = make("img", { src: url });
  await image.decode();
  const { width, height } = image;
  const brush = make("canvas", { width, height }).getContext("2d", { willReadFrequently: true });
  brush.drawImage(image, 0, 0);
  return brush.getImageData(0, 0, width, height);
}

/** Get the map of the poster's swatches, unless it is there. */
async function bringMap(signal) {
  const poster = current;
  const { restore, crop } = settingsOf(poster);
  const wanted = Object.entries({ side: MAP_SIDE, restore, crop })
    .filter(([, value]) => value !== null);
  if (poster.asked.map === String(wanted)) return;
  const { map, ...facts } = JSON.parse(
    await (await askOf(poster, "swatches", wanted, signal)).body.text());
  poster.map = { ...facts, pixels: await pixelsOf(map) };
  poster.asked.map = String(wanted);
  if (poster === current) showSwatches();
}

function mark(row) {
  view.marked = row;
  showSwatches();
}

/** Dim whatever is not in the marked row. */
function showMark() {
  const { marked } = view;
  const map = current.map?.pixels;
  $("mark").classList.toggle("on", marked !== null && Boolean(map));
  if (marked === null || !map) return;
  const [red, green, blue] = channels(swatchesOf(current)[marked]?.color ?? "#ffffff");
  const ground = red + 2 * green + blue > 400 ? 10 : 245; // so that the swatch stands out
  const { width, height, data } = map;
  const shade = new ImageData(width, height);
  const channel = { paper: 1, skin: 2 }[marked];
  for (let at = 0; at < data.length; at += 4) {
    const inside = channel ? data[at + channel] / 255 : Number(data[at] === marked);
    shade.data.fill(ground, at, at + 3);
    shade.data[at + 3] = 195 * (1 - inside);
  }
  Object.assign($("mark"), { width, height });
  $("mark").getContext("2d").putImageData(shade, 0, 0);
}

/** Find the swatch at a place in the poster, in per cent, and open it. */
function findSwatch(x, y) {
  if (!current.map) return;
  const { pixels: { width, height, data }, skin } = current.map;
  const [column, line] = [Math.floor((x * width) / 100), Math.floor((y * height) / 100)];
  const at = 4 * (Math.min(line, height - 1) * width + Math.min(column, width - 1));
  const isSkin = skin >= LEAST_PART && keeps(current, "skin") && data[at + 2] > 127;
  const row = isSkin ? "skin" : data[at] < $("swatches").children.length ? data[at] : null;
  view.marked = row === view.marked ? null : row;
  if (typeof row === "number") view.edited = row;
  showSwatches();
  const shown = isSkin ? $("skin") : $("swatches").children[row];
  shown?.scrollIntoView({ block: "nearest" });
}

/* Hints: a ring on the poster and a row in the list each */

const toPercent = (value) => Math.round(10 * Math.min(100, Math.max(0, value))) / 10;
const hintsNow = () => settingsOf(current).hints;

function addHint(x, y) {
  const hint = { x: toPercent(x), y: toPercent(y), color: $("hint-color").value };
  change({ hints: [...hintsNow(), hint] });
}

const editHint = (index, values) =>
  change({ hints: hintsNow().with(index, { ...hintsNow()[index], ...values }) }, `hint ${index}`);

const moveHint = (index, x, y) => editHint(index, { x: toPercent(x), y: toPercent(y) });

function removeHint(index) {
  change({ hints: hintsNow().toSpliced(index, 1) });
  $("add-hint").focus();
}

function showHints() {
  const hints = hintsNow();
  rowsOf($("rings"), hints.length, makeRing).forEach((ring, index) => ring.show(hints[index]));
  rowsOf($("hints"), hints.length, makeHintRow).forEach((row, index) => row.show(hints[index]));
}

function makeHintRow(index) {
  const name = `Hint ${index + 1}`;
  const picker = make("input", { type: "color", ariaLabel: `${name}: color` });
  const gray = make("input", { type: "checkbox", ariaLabel: `${name}: gray` });
  const [x, y] = ["x", "y"].map((axis) => make("input",
    { type: "number", min: 0, max: 100, step: "any", ariaLabel: `${name}: ${axis} in per cent` }));
  picker.oninput = () => editHint(index, { color: picker.value });
  gray.onchange = () => editHint(index, { color: gray.checked ? "neutral" : picker.value });
  x.onchange = y.onchange = () => moveHint(index, Number(x.value), Number(y.value));
  const row = make("li", { className: "row" }, picker, "x", x, "y", y,
    make("label", { className: "check grow" }, gray, "gray"),
    button("×", () => removeHint(index), { className: "small", ariaLabel: `Remove ${name}` }));
  row.show = (hint) => {
    gray.checked = hint.color === "neutral";
    if (!gray.checked) picker.value = hint.color;
    x.value = hint.x;
    y.value = hint.y;
  };
  return row;
}

function makeRing(index) {
  const ring = button("", null, { className: "ring" });
  ring.onpointerdown = (event) => {
    event.stopPropagation(); // or the divider would move
    ring.setPointerCapture(event.pointerId);
  };
  ring.onpointermove = (event) => {
    if (ring.hasPointerCapture(event.pointerId)) moveHint(index, ...placeOf(event));
  };
  ring.onkeydown = (event) => {
    const step = event.shiftKey ? 5 : 1;
    const { x, y } = hintsNow()[index];
    const moves = { ArrowLeft: [x - step, y], ArrowRight: [x + step, y],
      ArrowUp: [x, y - step], ArrowDown: [x, y + step] };
    if (moves[event.key]) moveHint(index, ...moves[event.key]);
    else if (event.key === "Delete" || event.key === "Backspace") removeHint(index);
    else return;
    event.preventDefault();
  };
  ring.show = ({ x, y, color }) => {
    Object.assign(ring.style, { left: `${x}%`, top: `${y}%` });
    ring.style.setProperty("--color", color === "neutral" ? "#888" : color);
    ring.ariaLabel = `Hint ${index + 1}, ${color}, at ${x} % from the left and ${y} % from `
      + "the top: arrow keys move it, Delete removes it";
  };
  return ring;
}

/* Soft proof: results as they will be printed. It is of the desk, since all posters go there. */

const proof = { shown: false, marks: false, profile: null, intent: "relative", blackPoint: true };

/** The parameters that make a preview a proof. */
const proofQuery = () => !proof.shown ? [] : Object.entries({ proof: proof.profile,
  intent: proof.intent, black_point: proof.blackPoint, marks: proof.marks });

/** Show proofs in another way; what is set while none is shown brings them back. */
async function setProof(values) {
  Object.assign(proof, { shown: true, ...values });
  showProof();
  if (current?.id) showChange();
  // A browser without room for it forgets it, as posters.
  await shelf("settings").then((store) => done(store.put(proof, "proof"))).catch(() => {});
}

function showProof() {
  const { profiles } = model;
  if (!profiles.includes(proof.profile)) proof.profile = profiles[0];
  proof.shown &&= profiles.length > 0;
  $("proof").hidden = $("printing").hidden = !profiles.length;
  $("proof").ariaPressed = String(proof.shown);
  for (const name of ["profile", "intent"]) $(name).value = proof[name];
  $("black-point").checked = proof.blackPoint;
  $("marks").checked = proof.marks;
  document.querySelector(".side.after").textContent = proof.shown ? "proof" : "after";
}

const toggleProof = () => setProof({ shown: !proof.shown });
const toggleMarks = () => setProof({ marks: !(proof.shown && proof.marks) });

/** Say how much of a poster can't be printed. */
function unprintableInWords({ outOfGamut }) {
  if (outOfGamut === null) return "";
  return outOfGamut ? `; ${inShare(outOfGamut)} can't be printed` : "; all of it can be printed";
}

function listenToProof() {
  $("profile").append(...model.profiles.map((name) => make("option", {}, name)));
  $("proof").onclick = toggleProof;
  for (const name of ["profile", "intent"]) {
    $(name).onchange = ({ target }) => setProof({ [name]: target.value });
  }
  $("black-point").onchange = ({ target }) => setProof({ blackPoint: target.checked });
  $("marks").onchange = ({ target }) =>
    setProof({ marks: target.checked, shown: proof.shown || target.checked });
}

/* The stage: before and after under a divider */

/** Where a pointer is in the poster, in per cent. */
function placeOf({ clientX, clientY }) {
  const { left, top, width, height } = $("frame").getBoundingClientRect();
  return [(100 * (clientX - left)) / width, (100 * (clientY - top)) / height];
}

function moveDivider(at) {
  const value = Math.round(Math.min(100, Math.max(0, at)));
  $("frame").style.setProperty("--at", `${value}%`);
  $("divider").ariaValueNow = value;
  $("divider").ariaValueText = `${value} % before, ${100 - value} % after`;
}

function onDividerKey(event) {
  const now = Number($("divider").ariaValueNow);
  const to = { ArrowLeft: now - 2, ArrowDown: now - 2, ArrowRight: now + 2, ArrowUp: now + 2,
    PageDown: now - 10, PageUp: now + 10, Home: 0, End: 100 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  moveDivider(to);
}

const isPlacing = () => $("place").ariaPressed === "true";

function setPlacing(placing) {
  $("place").ariaPressed = String(placing);
  $("frame").classList.toggle("placing", placing);
}

/** Let a pointer move the divider, or pan, or click: then it hardly moves. */
function listenToStage() {
  const frame = $("frame");
  let last = null; // where a pointer is that is down
  let dragged = false;
  frame.onpointerdown = (event) => {
    if (isPlacing()) return;
    last = event;
    dragged = false;
    frame.classList.toggle("sliding", !view.zoomed || event.target === $("divider"));
    frame.setPointerCapture(event.pointerId);
  };
  frame.onpointermove = (event) => {
    if (!frame.hasPointerCapture(event.pointerId)) return;
    const [x, y] = [event.clientX - last.clientX, event.clientY - last.clientY];
    if (!dragged && Math.hypot(x, y) < NEAR) return;
    dragged = true;
    if (frame.classList.contains("sliding")) moveDivider(placeOf(event)[0]);
    else $("screen").scrollBy(-x, -y);
    last = event;
  };
  frame.onclick = (event) => {
    if (event.target.closest(".ring")) return;
    if (isPlacing()) addHint(...placeOf(event));
    else if (!dragged) findSwatch(...placeOf(event));
  };
  $("divider").onkeydown = onDividerKey;
  moveDivider(50);
}

/** Show each pixel of the poster as one of the screen, or all of it. */
function zoom(zoomed) {
  view.zoomed = zoomed;
  showZoom();
  const screen = $("screen");
  screen.scrollTo((screen.scrollWidth - screen.clientWidth) / 2,
    (screen.scrollHeight - screen.clientHeight) / 2);
  previewSoon();
}

function showZoom() {
  const { width, height } = current;
  const scale = Math.min(1, LARGEST_PREVIEW / Math.max(width, height));
  $("screen").classList.toggle("zoomed", view.zoomed);
  $("screen").tabIndex = view.zoomed ? 0 : -1; // Arrow keys scroll it.
  $("frame").style.setProperty("--full", `${(scale * width) / devicePixelRatio}px`);
  $("zoom").textContent = `${Math.round(100 * scale)} %`;
  $("zoom").ariaPressed = String(view.zoomed);
}

function showOriginal(isShown) {
  $("frame").classList.toggle("original", isShown);
  $("original").ariaPressed = String(isShown);
}

/* Keys: Ctrl+Z, Ctrl+Shift+Z and Ctrl+Y, Escape, O or the button held for the original, P, G */

const TEXTS = "input:not([type=range], [type=checkbox], [type=color])";

function onKey(event) {
  const { target, ctrlKey, metaKey, shiftKey } = event;
  const key = event.key.toLowerCase();
  const isButton = target === $("original") && (key === " " || key === "enter");
  const isLetter = !target.closest?.("aside, header");
  if (key === "escape") {
    setPlacing(false);
    if (current?.id) mark(null);
  } else if (target.matches?.(TEXTS) || !current?.id) {
    return; // Fields undo by themselves.
  } else if (ctrlKey || metaKey) {
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    go(key === "y" || shiftKey ? 1 : -1);
  } else if (isButton || (key === "o" && isLetter)) {
    showOriginal(true);
  } else if (isLetter && !event.repeat && model.profiles.length) {
    if (key === "p") toggleProof();
    if (key === "g") toggleMarks();
  }
}

function listenToTools() {
  $("undo").onclick = () => go(-1);
  $("redo").onclick = () => go(1);
  $("zoom").onclick = () => zoom(!view.zoomed);
  $("original").onpointerdown = () => showOriginal(true);
  for (const end of ["pointerup", "pointercancel", "keyup", "blur"]) {
    addEventListener(end, () => showOriginal(false));
  }
  addEventListener("keydown", onKey);
}

/** The longest side of a preview: what the stage can show, in steps, so that it seldom changes. */
function previewSide() {
  const { width, height } = current;
  if (view.zoomed) return Math.min(LARGEST_PREVIEW, Math.max(width, height, 16));
  const frame = $("frame").getBoundingClientRect();
  const pixels = Math.max(frame.width, frame.height) * devicePixelRatio;
  return Math.min(2000, Math.max(400, 200 * Math.ceil(pixels / 200)));
}

let isPreviewing = false, isPreviewWanted = false, running;

/** Ask for a preview, once the one that is under way has come: the newest settings win. */
async function previewSoon() {
  $("screen").ariaBusy = "true";
  isPreviewWanted = true;
  if (isPreviewing) return;
  isPreviewing = true;
  while (isPreviewWanted) {
    isPreviewWanted = false;
    if (current?.id) await preview();
  }
  isPreviewing = false;
  $("screen").ariaBusy = String(!current?.id); // It is being sent.
}

async function preview() {
  const poster = current;
  running = new AbortController();
  const { signal } = running;
  say("Recoloring …");
  try {
    // JPEG is written much faster, but knows no transparency.
    const format = poster.transparent ? "webp" : "jpeg";
    const look = Object.entries({ side: previewSide(), format });
    await bring("before", "original", look, signal);
    await bring("after", "recolored", [...query(poster), ...proofQuery(), ...look], signal);
    if (isPreviewWanted) return;
    const only = poster.animated ? ", of which only the first picture is recolored" : "";
    const printed = unprintableInWords(poster);
    say(`${poster.name}, ${poster.width} × ${poster.height}${only}${printed}`);
    await bringMap(signal);
    paintSuggestions(poster);
  } catch (error) {
    if (!signal.aborted) sayFault(error);
  }
}

/** Bring a picture of the poster onto the stage, unless it is there. */
async function bring(name, which, parameters, signal) {
  const poster = current;
  const wanted = String(parameters);
  if (poster.asked[name] !== wanted) {
    const { body, headers } = await askOf(poster, which, parameters, signal);
    keepPicture(poster, name, body);
    poster.asked[name] = wanted;
    const swatches = headers.get("Recolor-Swatches");
    if (swatches) poster.became = JSON.parse(swatches).map(([, color]) => color);
    const outOfGamut = headers.get("Recolor-Out-Of-Gamut");
    if (name === "after") poster.outOfGamut = outOfGamut && Number(outOfGamut);
  }
  if (poster !== current) return;
  show($(name), poster[name]);
  if (name === "after") showSwatches();
}

/* Posters, and the strip of their thumbnails */

function addFiles(files) {
  const added = files.map((file) => (
    { file, name: file.name || "poster.png", history: [NO_SETTINGS], step: 0, asked: {}, recipe }));
  if (added.length) recipe = null;
  addPosters(added);
}

async function addPosters(added) {
  if (!added.length) return;
  for (const poster of added) poster.sending = new AbortController();
  posters.push(...added);
  $("strip").append(...added.map(makeTile));
  select(added[0]);
  await whenModelIsKnown;
  const several = added.length > 1;
  await work(async (signal, report) => {
    // Those that the browser has stored come back with a reload.
    signal.onabort = () => takeAway(added.filter(isAwaited));
    if (several) report(`Sending posters 1 to ${added.length}`, 0);
    for (const [index, poster] of added.entries()) {
      const label = several ? `Sending poster ${index + 1} of ${added.length}`
        : `Sending ${poster.name}`;
      const onProgress = (share) => report(label, (index + share) / added.length);
      onProgress(0);
      if (posters.includes(poster)) await receive(poster, onProgress);
    }
  }, several ? "Cancel all" : "Cancel");
}

/** Whether a poster is still to be sent, or is being sent. */
const isAwaited = ({ id, fault: wrong }) => !id && !wrong;

/** Say what becomes of a poster that is awaited. */
function awaitedInWords({ share }) {
  if (share === undefined) return "waiting";
  return share < 1 ? `uploading ${Math.floor(100 * share)}\u00a0%` : "being read";
}

/** Send a poster, and show what became of it. */
async function receive(poster, tell) {
  const { signal } = poster.sending;
  const onProgress = (share) => {
    poster.share = share;
    poster.showTile();
    tell(share);
  };
  try {
    onProgress(0);
    await send(poster, { signal, onProgress });
    if (poster.recipe) useRecipe(poster, poster.recipe);
    store(poster);
    keepPicture(poster, "thumb", await askPicture(poster, "original", SMALL, signal));
  } catch ({ message }) {
    if (signal.aborted) return;
    poster.fault = message;
  }
  if (poster === current) select(poster);
  else showStrip();
}

function select(poster) {
  running?.abort();
  current = poster;
  view.marked = view.edited = null;
  const { name, fault: wrong, id, width, height } = poster;
  const isWrong = Boolean(wrong);
  document.body.classList.toggle("empty", isWrong);
  $("schemes-strip").hidden = true;
  $("welcome").hidden = !isWrong;
  $("refused").textContent = isWrong ? `${name}: ${wrong}` : "";
  $("stage").hidden = $("settings").hidden = $("add").hidden = isWrong;
  $("settings").inert = $("download").hidden = !id; // while it is being sent
  for (const part of [$("frame"), $("settings")]) {
    part.style.setProperty("--ratio", id ? width / height : 0.7);
  }
  for (const [image, when] of [[$("before"), "before"], [$("after"), "after"]]) {
    image.alt = `${name}, ${when}`;
    show(image, poster[when]);
  }
  clearFaults();
  say(`Sending ${name} …`);
  showStrip();
  poster.tile.scrollIntoView({ block: "nearest", inline: "nearest" });
  if (id) {
    showZoom();
    showSuggestions();
    showSettings();
  }
  previewSoon();
}

/** Show what is there without a poster. */
function welcome() {
  running?.abort();
  current = null;
  document.body.classList.add("empty");
  $("schemes-strip").hidden = $("welcome").hidden = false;
  $("refused").textContent = "";
  for (const id of ["stage", "settings", "add", "download"]) $(id).hidden = true;
  showStrip();
  $("choose").focus();
}

function showStrip() {
  const several = posters.length > 1;
  $("strip").hidden = !several;
  document.querySelector("main").classList.toggle("several", several);
  $("download-all").hidden = $("series").hidden = posters.filter(({ id }) => id).length < 2;
  for (const poster of posters) poster.showTile();
}

/** Make a poster's place in the strip. */
function makeTile(poster) {
  const { name } = poster;
  const picture = make("img", { alt: "" });
  const blank = make("span", { className: "blank", ariaHidden: "true" });
  const open = make("button", { className: "thumb", title: name, onclick: () => select(poster) },
    picture, blank, make("span", { className: "name" }, name));
  const progress = make("progress");
  const remove = button("×", () => removePoster(poster), { className: "small remove" });
  const wrong = make("p", { className: "fault", role: "alert" });
  poster.tile = make("li", {}, open, progress, remove, wrong);
  poster.showTile = () => {
    const awaited = isAwaited(poster) && awaitedInWords(poster);
    show(picture, poster.thumb);
    blank.hidden = Boolean(poster.thumb);
    blank.textContent = poster.fault ? "!" : awaited || "…";
    poster.tile.classList.toggle("awaited", Boolean(awaited));
    progress.hidden = !awaited;
    progress.ariaLabel = `${name}: ${awaited}`;
    if (poster.share === 1) progress.removeAttribute("value");
    else progress.value = poster.share ?? 0;
    remove.ariaLabel = `${awaited && !poster.key ? "Cancel" : "Remove"} ${name}`;
    open.ariaCurrent = String(poster === current);
    wrong.textContent = poster.fault;
    wrong.hidden = !poster.fault;
  };
  return poster.tile;
}

function removePoster(poster) {
  takeAway([poster]);
  forget(poster);
}

/** Take posters off the page; what is being sent is cancelled. */
function takeAway(taken) {
  const index = posters.indexOf(current);
  for (const poster of taken) {
    posters.splice(posters.indexOf(poster), 1);
    poster.tile.remove();
    poster.sending.abort();
    for (const { before, after, thumb, picture } of [poster, ...(poster.suggestions ?? [])]) {
      for (const url of [before, after, thumb, picture]) if (url) URL.revokeObjectURL(url);
    }
  }
  if (!posters.length) {
    welcome();
    return;
  }
  if (taken.includes(current)) select(posters[Math.min(index, posters.length - 1)]);
  else showStrip();
  const tile = posters.length > 1 && current.tile.firstElementChild;
  (tile || $(current.fault ? "choose" : "add")).focus();
}

/* The desk: posters and their settings are kept by the browser, for a reload or another day */

const done = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

function openDesk() {
  const request = indexedDB.open(`recolor at ${location.pathname}`);
  request.onupgradeneeded = () => {
    for (const name of ["files", "settings"]) {
      request.result.createObjectStore(name, { autoIncrement: true });
    }
  };
  return done(request);
}

const shelf = async (name) =>
  (await whenDeskIsOpen).transaction(name, "readwrite").objectStore(name);

/** Store a poster; where the browser has no room, or does not allow it, a reload forgets it. */
async function store(poster) {
  const { file, name, history, step } = poster;
  try {
    poster.key ??= await done((await shelf("files")).add({ file, name }));
    if (!posters.includes(poster)) {
      forget(poster); // It was removed meanwhile.
      return;
    }
    await done((await shelf("settings")).put({ history, step }, poster.key));
  } catch (error) {
    console.info(`${name} will be gone after a reload: ${error}`);
  }
}

function storeSoon(poster) {
  if (!poster.key) return; // It is stored once the server has taken it.
  clearTimeout(poster.storing);
  poster.storing = setTimeout(store, ONE_STEP / 5, poster);
}

async function forget({ key, storing }) {
  clearTimeout(storing);
  if (key) for (const name of ["files", "settings"]) (await shelf(name)).delete(key);
}

/** Put on the page what is on the desk. */
async function takeFromDesk() {
  const files = await shelf("files");
  const [keys, kept] = await Promise.all([done(files.getAllKeys()), done(files.getAll())]);
  const settings = await shelf("settings");
  const [keptProof, ...steps] = await Promise.all(
    ["proof", ...keys].map((key) => done(settings.get(key))));
  Object.assign(proof, keptProof);
  if (model) showProof();
  await addPosters(keys.map((key, index) => {
    const { history, step } = steps[index] ?? { history: [{}], step: 0 };
    // Other versions of the page may know other settings.
    const known = history.map((one) => ({ ...NO_SETTINGS, ...one }));
    return { key, ...kept[index], history: known, step, asked: {} };
  }));
  const donors = new Set(posters.flatMap(({ history }) => history.map(({ donor }) => donor)));
  for (const donor of donors) if (donor && !donor.path) await showDonor(donor);
}

/* Downloads */

const fullPicture = (poster, signal) =>
  askPicture(poster, "recolored", query(poster), signal);

/** "poster.jpg" becomes "poster-recolored.jpg", or "poster-recolored-2.jpg" where that is taken. */
function recoloredName(name, taken = new Set()) {
  const [, stem, suffix = ""] = name.match(/^(.+?)(\.[^.]*)?$/s);
  let proposed = `${stem}-recolored${suffix}`;
  for (let count = 2; taken.has(proposed.toLowerCase()); count++) {
    proposed = `${stem}-recolored-${count}${suffix}`;
  }
  taken.add(proposed.toLowerCase()); // as on disks that ignore case
  return proposed;
}

function saveAs(name, blob) {
  const url = URL.createObjectURL(blob);
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

async function downloadOne(signal, report) {
  const poster = current;
  const name = recoloredName(poster.name);
  report(`Recoloring ${poster.name} at its full size`);
  saveAs(name, await fullPicture(poster, signal));
  say(`${name} is downloaded.`);
}

async function downloadAll(signal, report) {
  const wanted = posters.filter(({ id }) => id);
  const taken = new Set();
  const files = await withEach(wanted, "Recoloring at full size: poster", signal, report,
    async (poster) => ({
      blob: await fullPicture(poster, signal), name: recoloredName(poster.name, taken) }));
  if (files.length) saveAs("recolored.zip", await zip(files));
  say(`${files.length} of ${wanted.length} posters are downloaded.`);
}

/** Download the results of all posters on one sheet, as PNG or PDF. */
async function downloadSheet(format, signal, report) {
  const wanted = posters.filter(({ id }) => id);
  const cells = await withEach(wanted, "Drawing poster", signal, report, async (poster) => {
    const parameters = [...query(poster), ["name", poster.name]];
    const { body } = await askOf(poster, "cell", parameters, signal);
    return ["cell", JSON.parse(await body.text()).id];
  });
  if (!cells.length) return;
  report("Laying out the sheet");
  const { body } = await ask(`sheet?${new URLSearchParams([...cells, ["format", format]])}`,
    { signal });
  saveAs(`recolored.${format}`, body);
  say(`A sheet of ${cells.length} posters is downloaded.`);
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, value) => {
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function crc32(bytes) {
  let crc = -1;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** Lay numbers one after the other, little end first: [bytes, number], ... */
const packed = (...numbers) => Uint8Array.from(numbers.flatMap(([bytes, number]) =>
  Array.from({ length: bytes }, (_, index) => Math.floor(number / 256 ** index) & 255)));

/** Make a ZIP archive without compressing: pictures are compressed already. */
async function zip(files) {
  const now = new Date();
  const time = (now.getHours() << 11) | (now.getMinutes() << 5) | (now.getSeconds() >> 1);
  const date = ((now.getFullYear() - 1980) << 9) | ((now.getMonth() + 1) << 5) | now.getDate();
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const { name, blob } of files) {
    const text = new TextEncoder().encode(name);
    const crc = crc32(new Uint8Array(await blob.arrayBuffer()));
    // For readers of version 2.0; names are in UTF-8, files are stored as they are.
    const facts = [[2, 20], [2, 0x0800], [2, 0], [2, time], [2, date], [4, crc], [4, blob.size],
      [4, blob.size], [2, text.length], [2, 0]];
    parts.push(packed([4, 0x04034b50], ...facts), text, blob);
    directory.push(packed([4, 0x02014b50], [2, 20], ...facts, [2, 0], [4, 0], [4, 0], [4, offset]),
      text);
    offset += 30 + text.length + blob.size;
  }
  const length = directory.reduce((sum, part) => sum + part.length, 0);
  const end = packed([4, 0x06054b50], [4, 0], [2, files.length], [2, files.length], [4, length],
    [4, offset], [2, 0]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

/* How posters come in */

async function takeFiles(list, asDonor) {
  const files = [...list]; // The list is emptied soon.
  if (asDonor && files.length) {
    takeDonor(files[0]);
    return;
  }
  const pictures = [];
  // One by one, since a folder of posters may be larger than the memory.
  for (const file of files) {
    if (await hasRecipe(file)) await takeRecipe(file);
    else pictures.push(file);
  }
  addFiles(pictures);
}

function listenToIntake() {
  const { classList } = document.body;
  // A picture of the page that is dragged would come back as a poster.
  addEventListener("dragstart", (event) => event.preventDefault());
  addEventListener("dragover", (event) => {
    event.preventDefault();
    classList.add("dragging");
  });
  addEventListener("dragleave", ({ relatedTarget }) => {
    if (!relatedTarget) classList.remove("dragging");
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    classList.remove("dragging");
    takeFiles(event.dataTransfer.files, event.target.closest?.("#donor"));
  });
  addEventListener("paste", ({ clipboardData }) => takeFiles(clipboardData.files));
  for (const id of ["add", "choose"]) $(id).onclick = () => $("files").click();
  $("choose-donor").onclick = () => $("donor-file").click();
  for (const id of ["files", "donor-file"]) {
    $(id).onchange = ({ target }) => {
      takeFiles(target.files, id === "donor-file");
      target.value = ""; // so that the same file may be chosen again
    };
  }
}

/* The beginning */

function listenToSettings() {
  $("typed").onchange = () => choosePalette($("typed").value.trim() || null);
  $("add-color").onclick = addColor;
  $("crop").onchange = () => change({ crop: $("crop").checked ? "auto" : null });
  $("place").onclick = () => setPlacing(!isPlacing());
  $("add-hint").onclick = () => { addHint(50, 25); $("rings").lastElementChild.focus(); };
  $("reset").onclick = () => change(NO_SETTINGS);
  $("remove").onclick = () => removePoster(current);
  $("swatch-color").oninput = () => assign(view.edited, $("swatch-color").value, "swatch");
  $("swatch-hex").onchange = takeTyped;
  $("parts").append(...Object.keys(PARTS).map(makePartRow));
  workBy("download", downloadOne);
  workBy("download-all", downloadAll);
  workBy("to-all", applyToAll);
  for (const format of ["png", "pdf"]) {
    workBy(`sheet-${format}`, (...both) => downloadSheet(format, ...both));
  }
}

function showModel() {
  const { about, schemes, takes_palette: takesPalette } = model;
  listenToProof();
  showProof();
  $("about").textContent = `Restored and recolored by recolor, with ${about}.`;
  for (const part of document.querySelectorAll(".palettes")) part.hidden = !takesPalette;
  SLIDERS.filter(({ ofPalettes }) => takesPalette || !ofPalettes).forEach(makeSlider);
  if (!takesPalette) return;
  $("schemes").append(...schemes.map(({ palette, swatch }) =>
    paletteChoice(palette, palette, swatchBar(swatch))));
  $("schemes-strip").append(...schemes.map(({ swatch }) => swatchBar(swatch)));
  $("words").append(...Object.entries(WORDS).map((word) => paletteChoice(...word)));
}

listenToIntake();
listenToStage();
listenToTools();
listenToSettings();
const whenDeskIsOpen = openDesk();
const whenModelIsKnown = askJson("model").then((answer) => { model = answer; showModel(); });
takeFromDesk().catch(() => {}); // There may be none, as in a private window.
