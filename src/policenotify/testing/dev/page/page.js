// Shows what readers see, once a second. Every text comes as text, never as HTML.
"use strict";

const MODES = {
  normal: ["normal", "normal"],
  slow: ["lent (3 s)", "slow (3 s)"],
  down: ["injoignable", "down"],
  refusing: ["refuse tout", "refuses everything"],
  forgetful: ["accepte et perd", "accepts and loses"],
};
const EVERY = 1000; // milliseconds
let shown = "", counts = null;

function make(name, properties = {}, ...children) {
  const one = Object.assign(document.createElement(name), properties);
  one.append(...children);
  return one;
}

function both(french, english) {
  return [`${french} `, make("span", { lang: "en" }, english)];
}

async function change(path, body) {
  const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  if (!answer.ok) announce("Le changement a échoué.", "The change failed.");
  await refresh();
}

function announce(french, english) {
  document.getElementById("news").replaceChildren(...both(french, english));
}

function section(network, switches) {
  const id = `network-${network.channel}`;
  const parts = [make("h2", { id }, network.title)];
  if (switches) {
    const choices = Object.entries(MODES).map(([mode, words]) => {
      const input = make("input", { type: "radio", name: `mode-${network.channel}`, value: mode });
      input.addEventListener("change", () => change("/mode", { channel: network.channel, mode }));
      return make("label", {}, input, " ", ...both(...words));
    });
    parts.push(make("fieldset", {}, make("legend", {}, ...both(`Comportement de ${network.title}`, `Behaviour of ${network.title}`)), ...choices));
  }
  parts.push(make("ol"));
  const made = make("section", { id: `section-${network.channel}` }, ...parts);
  made.setAttribute("aria-labelledby", id);
  return made;
}

function article(post) {
  const made = make("article", { className: post.parent ? "reply" : "" });
  const about = [];
  if (post.parent) about.push("↳ réponse");
  if (post.readers) about.push(`${post.readers} destinataires`);
  if (about.length) {
    const english = [post.parent ? "reply" : "", post.readers ? `${post.readers} recipients` : ""].filter(Boolean);
    made.append(make("p", { className: "about" }, ...both(about.join(" · "), english.join(" · "))));
  }
  if (post.title) made.append(make("h3", {}, post.title));
  if (post.warning) made.append(make("p", {}, make("strong", {}, post.warning)));
  made.append(make("p", {}, post.text));
  if (/^https?:\/\//.test(post.link)) made.append(make("p", {}, make("a", { href: post.link, rel: "noreferrer" }, post.link)));
  for (const image of post.images) made.append(make("img", { src: image.src, alt: image.alt }));
  return made;
}

function show(state) {
  const main = document.getElementById("networks");
  document.getElementById("actions").hidden = !state.switches;
  const news = [];
  for (const network of state.networks) {
    let box = document.getElementById(`section-${network.channel}`);
    if (!box) main.append((box = section(network, state.switches)));
    box.dataset.mode = network.mode;
    const chosen = box.querySelector(`input[value="${network.mode}"]`);
    if (chosen) chosen.checked = true;
    const posts = JSON.stringify(network.posts);
    if (box.posts === posts) continue; // what has the focus keeps it
    box.posts = posts;
    const items = network.posts.map((post) => make("li", {}, article(post)));
    const none = make("li", { className: "about" }, ...both("Aucun post.", "No post."));
    box.querySelector("ol").replaceChildren(...(items.length ? items.reverse() : [none]));
    if (counts && network.posts.length > (counts[network.channel] ?? 0)) news.push(network.title);
  }
  counts = Object.fromEntries(state.networks.map((network) => [network.channel, network.posts.length]));
  if (news.length) announce(`Nouveau sur ${news.join(", ")}.`, `New on ${news.join(", ")}.`);
}

async function refresh() {
  try {
    const text = await (await fetch("/state.json", { cache: "no-cache" })).text();
    if (text !== shown) show(JSON.parse(text));
    shown = text;
  } catch {
    if (shown !== null) announce("Le serveur ne répond plus.", "The server does not answer any more.");
    shown = null;
  }
}

async function watch() {
  await refresh();
  setTimeout(watch, EVERY);
}

document.getElementById("reset").addEventListener("click", async () => {
  await change("/reset", {});
  announce("Tout est effacé.", "Everything is reset.");
});
watch();
