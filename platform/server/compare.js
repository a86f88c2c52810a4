// The page of `recolor serve --compare`.

const $ = (id) => document.getElementById(id);
const answers = document.querySelectorAll("#answers button");
const KEYS = { ArrowLeft: "left", " ": "no difference", ArrowRight: "right" };
const PICTURES = ["source", "left", "right"];
const STORED = "recolor-judge"; // for a reload of this tab
let judge = null;
let asked = null; // the pair that can be answered
const loaded = new Map(); // by pair: a promise of where its pictures are

function say(text) {
  $("fault").textContent = text;
  $("fault").hidden = !text;
}

function open(section) {
  for (const one of ["welcome", "pair", "end"]) $(one).hidden = one !== section;
}

const pause = (seconds) => new Promise((resolve) => { setTimeout(resolve, 1000 * seconds); });

/** Ask the server, and don't give up while it is busy or gone. Returns the answer's body. */
async function ask(path, parameters, options) {
  const query = new URLSearchParams({ judge, ...parameters });
  for (let tries = 0; ; tries++) {
    let answer, body;
    let seconds = Math.min(2 ** tries, 8);
    try {
      answer = await fetch(`${path}?${query}`, options);
      body = await answer.blob();
    } catch {
      say("The server does not answer. Trying again …");
    }
    if (answer?.status === 503) {
      seconds = Number(answer.headers.get("Retry-After")) || seconds;
      say("The server is busy. Trying again …");
    } else if (body) {
      say("");
      if (answer.ok) return body;
      const { error } = await body.text().then(JSON.parse).catch(() => ({}));
      const { status } = answer;
      throw Object.assign(new Error(error ?? `The server answered ${status}.`), { status });
    }
    await pause(seconds);
  }
}

const askJson = async (...request) => JSON.parse(await (await ask(...request)).text());

/** Load the pictures of a pair, once. */
function load(pair) {
  if (!loaded.has(pair)) {
    const one = async (which) => URL.createObjectURL(await ask(`pairs/${pair}/${which}`));
    loaded.set(pair, Promise.all(PICTURES.map(one)));
    loaded.get(pair).catch(() => loaded.delete(pair));
  }
  return loaded.get(pair);
}

function forgetAllBut(...pairs) {
  for (const [pair, urls] of loaded) {
    if (pairs.includes(pair)) continue;
    loaded.delete(pair);
    urls.then((found) => found.forEach((url) => URL.revokeObjectURL(url)), () => {});
  }
}

function allowAnswers(pair) {
  asked = pair;
  for (const answer of answers) answer.disabled = !pair;
  $("pair").ariaBusy = String(!pair);
}

/** Show a pair, or the end, as the server has said. */
async function show({ pair, following, done, of }) {
  if (!pair) {
    $("progress").textContent = "";
    open("end");
    if (!of) $("thanks").textContent = "There is no poster to judge.";
    $("thanks").focus();
    return;
  }
  $("progress").textContent = `${done + 1} of ${of}`;
  allowAnswers(null);
  open("pair");
  try {
    const urls = await load(pair);
    // All at once: the time that each takes could tell which it is.
    await Promise.all(PICTURES.map((which, index) => {
      const image = $(which).querySelector("img");
      image.src = urls[index];
      return image.decode();
    }));
  } catch (error) {
    if (error.status !== 404) throw error;
    // It can't be used, and is left out from now on.
    await show(await askJson("pairs"));
    return;
  }
  allowAnswers(pair);
  $("question").focus();
  forgetAllBut(pair, following);
  if (following) load(following).catch(() => {});
}

async function vote(choice) {
  const pair = asked;
  allowAnswers(null);
  let next;
  try {
    next = await askJson("votes", { pair, choice }, { method: "POST" });
  } catch (error) {
    say(error.message);
    allowAnswers(pair);
    return;
  }
  go(next);
}

const go = (state) => show(state).catch((error) => {
  say(`${error.message}. Reload the page to try again.`);
});

async function begin(name) {
  judge = name;
  try {
    const state = await askJson("pairs");
    sessionStorage.setItem(STORED, judge);
    go(state);
  } catch (error) {
    say(error.message);
    welcome();
  }
}

function welcome() {
  open("welcome");
  $("name").focus();
}

$("welcome").onsubmit = (event) => {
  event.preventDefault();
  const [number] = crypto.getRandomValues(new Uint32Array(1));
  begin($("name").value.trim() || `guest ${number.toString(16)}`);
};

$("another").onclick = () => {
  sessionStorage.removeItem(STORED);
  $("name").value = "";
  welcome();
};

for (const answer of answers) answer.onclick = () => vote(answer.value);

onkeydown = (event) => {
  const { key, target } = event;
  if (!asked || !(key in KEYS) || event.repeat || event.ctrlKey || event.metaKey || event.altKey) {
    return;
  }
  // A button that has the focus is pressed by it.
  if (key === " " && target.closest?.("button")) return;
  event.preventDefault();
  vote(KEYS[key]);
};

const known = sessionStorage.getItem(STORED);
if (known) begin(known);
else welcome();
