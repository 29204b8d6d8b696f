/* The dashboard's script. Pages work without it; it makes them quicker to use. Pages ask for behaviour with
   attributes and have no scripts of their own:

   data-swap="#a #b"    on a link or form: fetch its page and put only these elements of it, found by their ids,
                        in the place of ours; address and title follow. A GET form is sent when one of its fields
                        changes, a POST form follows to where its answer leads.
   data-stream="/url"   follow an event stream of HTML: the element of each event takes the place of the one with its id.
                        Closed while the tab is hidden, because a browser has six connections for a host.
   data-key="j"         click (or focus) this element at that key; several keys with spaces between.
                        data-key-label="..." says what it does in the help that `?` opens.
   data-enter           the button that Ctrl+Enter presses from any field of its form.
   data-confirm="..."   ask before a link or form does its work.    data-copy="..."  copy this text.
   data-menu            on details: closed by a click elsewhere or on one of its links, and by Escape.
   data-say="..."       what is shown for a moment when this link is followed.
   data-toast           an element whose text is shown for a moment once it arrives. */

const TYPING = "input:not([type=checkbox],[type=radio],[type=range],[type=button],[type=submit]),textarea,select,[contenteditable]";
const here = () => location.pathname + location.search;
const byId = (id) => document.getElementById(id);

/* ---- parts of a page ---- */

/** Puts an element in the place of the one with its id, unless they are equal. Focus and open details stay. */
function put(fresh) {
  const old = byId(fresh.id);
  if (!old || old.isEqualNode(fresh)) return;
  const restore = remember(old);
  old.replaceWith(document.adoptNode(fresh));
  restore(fresh);
}

function remember(old) {
  const open = [...old.querySelectorAll("details[open][id]")].map((details) => details.id);
  const active = document.activeElement;
  const held = active && active !== document.body && old.contains(active) ? address(active) : undefined;
  const { value, selectionStart, selectionEnd } = active ?? {};
  return (fresh) => {
    for (const id of open) byId(id)?.setAttribute("open", "");
    if (held === undefined) return;
    const next = (held && (fresh.matches(held) ? fresh : fresh.querySelector(held))) || fresh.closest("[tabindex]");
    if (!next) return;
    next.focus({ preventScroll: true });
    if (!next.matches(TYPING) || next.matches("select")) return;
    next.value = value; // what has been typed since is newer than what arrived
    try {
      next.setSelectionRange(selectionStart, selectionEnd);
    } catch {
      // a number or a date has no selection
    }
  };
}

/** A selector that finds the element again in a newer copy of the page. */
function address(element) {
  if (element.id) return `#${CSS.escape(element.id)}`;
  for (const name of ["data-key", "name", "href", "formaction"]) {
    const value = element.getAttribute(name);
    if (value) {
      const also = element.type === "radio" || element.type === "checkbox" || element.localName === "button";
      const which = also && element.hasAttribute("value") ? `[value="${CSS.escape(element.value)}"]` : "";
      return `${element.localName}[${name}="${CSS.escape(value)}"]${which}`;
    }
  }
  return null;
}

/* ---- swap ---- */

let shown = here();
const running = new Map();

/** Fetches a page and puts its targets in the place of ours. `remember` is push, replace or none. */
async function swap(url, targets, { body = null, keep = "push" } = {}) {
  const selector = targets.join(" ");
  if (running.get(selector)?.posts) return; // a POST in progress is neither cancelled nor repeated
  running.get(selector)?.abort();
  const control = Object.assign(new AbortController(), { posts: body !== null });
  running.set(selector, control);
  const ours = () => targets.map((target) => document.querySelector(target)).filter(Boolean);
  for (const element of ours()) element.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(url, { method: body ? "POST" : "GET", body, signal: control.signal });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!answer.ok) throw new Error(page.querySelector("main p:not([aria-hidden])")?.textContent || answer.statusText);
    const fresh = targets.map((target) => page.querySelector(target));
    if (!fresh.every((element) => element?.id)) {
      location.assign(answer.url); // another kind of page: go there
      return;
    }
    settle(answer, page, body ? "push" : keep);
    fresh.forEach(put);
    arrive();
  } catch (error) {
    if (error.name === "AbortError") return;
    toast(error.name === "TypeError" ? "The dashboard is not responding." : error.message, "fail");
  } finally {
    if (running.get(selector) === control) {
      running.delete(selector);
      for (const element of ours()) element.removeAttribute("aria-busy");
    }
  }
}

function settle(answer, page, keep) {
  const { pathname, search } = new URL(answer.url);
  const place = pathname + search;
  if (keep !== "none" && place !== shown) {
    if (keep === "push") history.pushState({}, "", place);
    else history.replaceState({}, "", place);
  }
  shown = place;
  if (page.title) document.title = page.title;
}

/** Starts what new elements of the page ask for. */
function arrive() {
  follow();
  for (const element of document.querySelectorAll("[data-toast]")) {
    toast(element.textContent.trim(), element.dataset.toast);
    element.remove();
  }
}

const targetsOf = (element) => element.dataset.swap.split(/\s+/).filter(Boolean);

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-swap]");
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  const targets = targetsOf(link);
  swap(link.href, targets).then(() => {
    const first = document.querySelector(targets[0]);
    if (first && first.getBoundingClientRect().top < 0) first.scrollIntoView();
  });
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || !form.dataset.swap) return;
  event.preventDefault();
  const button = event.submitter;
  const url = new URL(button?.hasAttribute("formaction") ? button.formAction : form.action);
  const fields = new FormData(form, button);
  if (form.method === "post") {
    const body = form.enctype === "multipart/form-data" ? fields : new URLSearchParams(fields);
    swap(url, targetsOf(form), { body });
    return;
  }
  url.search = new URLSearchParams([...fields].filter(([, value]) => value !== "")); // short addresses
  swap(url, targetsOf(form), { keep: form.dataset.typing ? "replace" : "push" });
  delete form.dataset.typing;
});

const LETTER_BY_LETTER = "input[type=search],input[type=text],input[type=range]";
let typing = 0;
document.addEventListener("input", (event) => {
  const form = event.target.form;
  if (!form?.dataset.swap || form.method !== "get" || !event.target.matches(LETTER_BY_LETTER)) return;
  clearTimeout(typing);
  typing = setTimeout(() => {
    form.dataset.typing = "yes"; // a letter is not a history entry
    form.requestSubmit();
  }, 250);
});

document.addEventListener("change", (event) => {
  const form = event.target.form;
  // text was sent on input; a removed field fires change again
  if (!form?.dataset.swap || form.method !== "get" || event.target.matches(LETTER_BY_LETTER)) return;
  clearTimeout(typing);
  form.requestSubmit();
});

addEventListener("popstate", () => {
  if (here() !== shown) swap(location.href, ["#main"], { keep: "none" });
});

/* ---- streams ---- */

const streams = new Map();
const LONGEST_WAIT_MS = 30_000;

/** Opens the streams that the page asks for, and closes those whose element is gone. */
function follow() {
  for (const [element, stream] of streams) if (!element.isConnected) stop(element, stream);
  if (document.visibilityState === "hidden") return;
  for (const element of document.querySelectorAll("[data-stream]")) {
    if (!streams.has(element)) start(element, 1000);
  }
}

function start(element, wait_ms) {
  const source = new EventSource(element.dataset.stream);
  const stream = { source, timer: 0 };
  streams.set(element, stream);
  source.addEventListener("message", (event) => {
    wait_ms = 1000;
    lost(false);
    const part = document.createElement("template");
    part.innerHTML = event.data;
    if (part.content.firstElementChild?.id) put(part.content.firstElementChild);
    follow();
  });
  source.addEventListener("end", () => {
    source.close();
    lost(false);
  });
  source.addEventListener("error", () => {
    source.close();
    lost(true);
    stream.timer = setTimeout(() => {
      if (element.isConnected) start(element, Math.min(2 * wait_ms, LONGEST_WAIT_MS));
    }, wait_ms);
  });
}

function stop(element, { source, timer }) {
  source.close();
  clearTimeout(timer);
  streams.delete(element);
}

/** Marks the page as out of date. */
function lost(is) {
  document.documentElement.toggleAttribute("data-lost", is);
}

function stopAll() {
  for (const [element, stream] of streams) stop(element, stream);
}

document.addEventListener("visibilitychange", () => (document.visibilityState === "hidden" ? stopAll() : follow()));
addEventListener("pagehide", stopAll);
addEventListener("pageshow", follow);

/* ---- keyboard ---- */

const keysOf = (element) => element.dataset.key.split(/\s+/);
const KEY_NAMES = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc" };
const usable = (element) => !element.disabled && element.checkVisibility();

/** The key as pages name it; on a keyboard of another alphabet, the letter in its place. */
function keyOf({ key, code }) {
  if (key.length > 1) return key;
  return key > "\x7f" && code.startsWith("Key") ? code.slice(3).toLowerCase() : key.toLowerCase();
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.target.form?.querySelector("[data-enter]")?.click();
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.closest?.(TYPING)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "Escape") closeMenus(true);
  const place = document.querySelector("dialog[open]") ?? document;
  const key = keyOf(event);
  const wanted = [...place.querySelectorAll("[data-key]")].find((element) => keysOf(element).includes(key) && usable(element));
  if (!wanted) return;
  event.preventDefault();
  if (wanted.matches(TYPING)) wanted.focus();
  else if (!event.repeat || wanted.matches("a")) wanted.click();
  if (wanted.matches("summary")) wanted.focus(); // what it opens comes next
});

function help() {
  const dialog = byId("help");
  const lines = [...document.querySelectorAll("[data-key]")].filter(usable).map((element) => {
    const [keys, label] = [document.createElement("dt"), document.createElement("dd")];
    for (const key of keysOf(element)) keys.append(Object.assign(document.createElement("kbd"), { textContent: KEY_NAMES[key] ?? key }));
    label.textContent = element.dataset.keyLabel || element.getAttribute("aria-label") || element.textContent.trim();
    const line = document.createElement("div");
    line.append(keys, label);
    return line;
  });
  byId("help-keys").replaceChildren(...lines);
  dialog.showModal();
}

/* ---- menus ---- */

function closeMenus(byKey, target) {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (target && menu.contains(target) && !target.closest("a")) continue;
    menu.open = false;
    if (byKey) menu.querySelector("summary").focus();
  }
}

document.addEventListener("click", (event) => {
  const said = event.target.closest("[data-say]")?.dataset.say;
  if (said) toast(said);
  closeMenus(false, event.target);
});

/* ---- buttons ---- */

const THEMES = { "": "system", light: "light", dark: "dark" };

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-theme-toggle],[data-help],[data-copy]");
  if (!button) return;
  if ("help" in button.dataset) help();
  else if ("copy" in button.dataset) {
    await navigator.clipboard?.writeText(button.dataset.copy); // browsers offer it on the loopback and under https only
    toast(navigator.clipboard ? "Copied" : button.dataset.copy);
  } else turnTheme();
});

function turnTheme() {
  const names = Object.keys(THEMES);
  const next = names[(names.indexOf(document.documentElement.dataset.theme ?? "") + 1) % names.length];
  if (next) document.documentElement.dataset.theme = next;
  else delete document.documentElement.dataset.theme;
  // a cookie: the server writes it into the next page, so that no page flashes in the other theme
  document.cookie = `redzone_theme=${next}; path=/; max-age=${next ? 31536000 : 0}; samesite=strict`;
  toast(`Theme: ${THEMES[next]}`);
}

for (const name of ["click", "submit"]) {
  addEventListener(name, (event) => {
    const asking = name === "submit" ? (event.submitter?.closest("[data-confirm]") ?? event.target) : event.target.closest?.("a[data-confirm]");
    if (asking?.dataset?.confirm && !confirm(asking.dataset.confirm)) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  }, { capture: true });
}

export function toast(text, kind = "") {
  const note = document.createElement("p");
  note.className = `toast ${kind}`;
  note.textContent = text;
  byId("toasts").append(note);
  setTimeout(() => note.remove(), kind === "fail" ? 8000 : 3000);
}

for (const element of document.querySelectorAll("[data-theme-toggle],[data-help]")) element.hidden = false;
arrive();
