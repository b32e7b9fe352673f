/* chat.js - the chat page: puts its parts together and lets one request run at a time. */
import { boot } from "./boot.js";
import { get } from "./api.js";
import { alert, sayOnce } from "./announce.js";
import { byId, part } from "./dom.js";
import { Composer } from "./composer.js";
import { lazy } from "./lazy.js";
import { examples, showBudget, showModel } from "./empty.js";
import { Live } from "./live.js";
import { Monitor } from "./monitor.js";
import { Pin } from "./scroll.js";
import { Reach } from "./reach.js";
import { Run } from "./run.js";
import { Sessions } from "./sessions.js";
import { Turn, adopt } from "./turn.js";
import { failure, health } from "./texts.js";
import { level, percent } from "./format.js";
import { recall, remember } from "./prefs.js";
import "./shell.js";

const log = byId("log");
const column = byId("column");
const pin = new Pin(log, byId("jump"));
const sessions = new Sessions(boot.session_id ?? "");
let session = boot.session_id ?? "";
let run = null;
const LONG_WAIT_MS = 5000;              /* from here on another model is looked for */
const unreached = () => alert("Weir could not be reached.");

lazy(sessions, () => session);

/* What a message would be sent as. After an older version was opened, it hangs on the last message that is shown. */
function bodyOf(text, { model, priority, parent }) {
  const shown = column.dataset.leaf && column.querySelector(".msg:last-of-type")?.dataset.id;
  const body = { priority };
  if (text) body.message = text;
  if (model) body.model = model;
  if (session) body.session_id = session;
  if (session && (parent || shown)) body.parent_id = parent || shown;
  return body;
}

const composer = new Composer(session, { onSend: ask, onStop: () => run?.stop(), onChange: estimating, onHold: () => chip(doing) });
function bodyToSend() {
  const text = composer.box.value.trim();
  return text ? bodyOf(text, { model: composer.model.value, priority: composer.priority.value, parent: composer.parent }) : null;
}
let estimate = null;                    /* a promise of it: loaded with the first letter */
function estimating() {
  if (!estimate && !bodyToSend()) return;
  estimate ??= import("./estimate.js").then(({ Estimate }) => new Estimate(bodyToSend, (e) => monitor.context(e)));
  estimate.then((e) => e.soon(), () => {});           /* offline: none until the page is loaded again */
}

const live = new Live(10_000, { take: (s) => { reach.came(); monitor.take(s); if (s) { showHealth(s); if (polls++) meanwhile(); } if (sessions.left.size) import("./left.js").then((m) => m.look(sessions), () => {}); }, failed: (_, x) => (x.status === 401 ? out(null) : reach.missed()) });
const reach = new Reach({ changed: (reachable) => composer.setOffline(!reachable), retry: () => live.now() });
const monitor = new Monitor({ upstream: () => composer.model.selectedOptions[0]?.dataset.upstream ?? "", refresh: () => { live.now(); monitor.chat(session); } });

function showHealth(snapshot) {
  const pill = byId("health");
  const { word, tone, title, why } = health(snapshot.health, snapshot.limits);
  pill.textContent = word;
  pill.className = `pill ${tone}`;
  pill.title = title;
  pill.href = why;
  const near = fullest(snapshot.budgets ?? []);
  showBudget(snapshot.budgets ?? []);
  byId("budget-near").hidden = !near;
  byId("budget-near").textContent = near ? `Budget ${percent(near)}` : "";
  byId("budget-near").className = `pill ${level(near ?? 0)}`;
  if (near) sayOnce(`A budget is ${percent(near)} used`, "budget");
  if (snapshot.health?.status === "stabilizing") sayOnce(word, "stabilizing");
}

/* The share that is taken of the fullest budget, if that is worth a word. */
function fullest(budgets) {
  const most = Math.max(0, ...budgets.map((b) => (b.limit_usd > 0 ? (b.spent_usd + b.reserved_usd) / b.limit_usd : 0)));
  return most >= 0.8 ? most : null;
}

/* A title is the first 60 characters of the first message, cut at a word; the server does the same. */
function titleOf(text) {
  const line = [...text.replace(/\s+/g, " ").trim()], at = line.lastIndexOf(" ", 60);
  return line.length <= 60 ? line.join("") : `${line.slice(0, at < 30 ? 60 : at).join("")}…`;
}

let polls = 0;                          /* the page has what the first could tell */
let doing = "";                         /* what becomes of this conversation, beside its title in the list */
function chip(word) {
  doing = word;
  sessions.chip(session, word === "queued" && composer.holds ? "2 queued" : word);
}

/* Room under the newest exchange, so that its beginning can stand at the top. A size container would do it in the
 * style sheet, and cost the layout of the whole conversation with every piece of an answer. */
let newest = null, room = 0;
function makeRoom() { if (newest) newest.style.minHeight = `${room}px`; }
new ResizeObserver(([{ contentRect }]) => { room = contentRect.height; makeRoom(); }).observe(log);

function begin(text, model, jump = true) {
  byId("empty")?.remove();
  const turn = new Turn(column, text, model, {
    act: (name) => act(name, turn), grew: () => pin.grew(), raise: composer.mayRaise });
  if (newest) newest.style.minHeight = "";
  newest = turn.node;
  makeRoom();
  if (jump) pin.jump();
  return turn;
}

/* The events of the stream, to the turn and to the rest of the page. */
function listen(turn) {
  let waits = 0;
  return {
    accepted(d) {
      const fresh = !session;
      session = d.session_id;
      remember(`run.${session}`, d.request_id);
      composer.accepted(session);
      turn.accepted();
      if (column.dataset.leaf) { delete column.dataset.leaf; history.replaceState(null, "", `/app/c/${session}`); }
      if (fresh) {
        history.replaceState(null, "", `/app/c/${session}`);
        sessions.current = session;
        byId("chat-menu").hidden = false;
        sessions.add(session, titleOf(turn.text));
        byId("title").textContent = titleOf(turn.text);
        document.title = `${titleOf(turn.text)} · Weir`;
      }
      chip("writing");
    },
    queue(d) {
      if (!waits++) live.now();
      turn.queue({ ...d, waiting: monitor.waitingFor(d.upstream) });
      if (d.eta_ms > LONG_WAIT_MS) other(turn, (e) => e.starts_in_ms < d.eta_ms - LONG_WAIT_MS);
      chip("queued");
    },
    limited: (error) => turn.limited(error),
    start(d) { turn.start(d); chip("writing"); },
    retry(d) {
      turn.retry(d);
      if (d.delay_ms > LONG_WAIT_MS) other(turn, (e) => e.starts_in_ms < d.delay_ms - LONG_WAIT_MS);
    },
    delta: (d) => turn.delta(d),
    limits: (d) => monitor.limits(d),
    usage: (d) => turn.usage(d),
    lost: (ms) => turn.lost(ms),
    back: () => turn.back(),
  };
}

/* Look once for a model that would do as well for this message; the card offers it. */
async function other(turn, wanted) {
  if (turn.looked || !turn.body?.message) return;
  turn.looked = true;
  const model = await import("./other.js").then((m) => m.otherModel(turn.body, composer.model.options, wanted)).catch(() => null);
  if (model) turn.offer(model);
}

/* The same message to the model that was offered. What waits is taken back first; it becomes an older version. */
function toOther(turn) {
  choose(composer.model, turn.other.id);
  instead(turn);
}

function instead(turn) {
  if (run) { turn.leaving = true; run.stop(); } else again(turn);
}

function choose(select, value) {
  select.value = value;
  select.dispatchEvent(new Event("change"));
}

function again(turn) {
  const before = [...column.querySelectorAll(".msg[data-id]")].filter((m) => !turn.node.contains(m)).pop();
  if (!turn.answerText) turn.node.remove();
  ask(turn.text, { ...chosen(), parent: turn.parent || (session ? before?.dataset.id ?? "root" : "") });
}

async function play(turn, reading) {
  composer.setBusy(true);
  const end = await Promise.all([reading, turn.ready]).then(([read]) => read, (fault) => {        /* ours: say it in the console, and leave nobody waiting */
    reportError(fault);
    return { kind: "interrupted" };
  });
  const request = run.requestId;
  run = null;
  composer.setBusy(false);
  if (turn.leaving && !turn.answerText) { again(turn); return; }
  turn.end(end);
  if (end.error && failure(end.error).other) other(turn, () => true);
  const settled = request && end.kind !== "interrupted" && settle(turn, request);
  chip(end.kind === "done" || end.kind === "aborted" ? "" : "failed");
  const expired = end.error?.type === "authentication_error";
  if (session && end.kind !== "interrupted" && !expired) remember(`run.${session}`, null);
  if (end.kind === "aborted") composer.restore(turn.text);
  const now = composer.now, next = composer.takeNext();
  if (next && (now || (end.kind === "done" && end.finish_reason !== "cancelled"))) {
    ask(next, { model: composer.model.value, priority: composer.priority.value });
  } else composer.restore(next);
  if (expired) {
    const alone = !composer.box.value;
    if (!request) { turn.node.remove(); composer.restore(turn.text); }
    return out(!request && alone ? turn : null);
  }
  live.now();
  monitor.chat(session);
  await settled;
}

/* Signed out, maybe while the message of `turn` was sent: nothing of it was taken, and who is back sends it. */
const out = (turn) => { if (turn || !run) import("./signedout.js").then((m) => m.signedOut(session, turn), () => {}); };

/* The ids of what was just said, so that it can be answered again, edited and explained. */
async function settle(turn, request) {
  try { turn.settle((await get(`/chat/sessions/${session}/messages?limit=2`)).items, request, (await import("./branch.js")).mark); } catch { /* it can after a reload */ }
}

/* Take `article` and all that follows it out of the page. */
function cut(article) {
  const all = [...column.querySelectorAll(".msg")];
  for (const one of all.slice(all.indexOf(article))) one.remove();
  for (const turn of column.querySelectorAll(".turn")) {
    if (turn.querySelector(".msg")) turn.querySelector(".status")?.remove();
    else turn.remove();
  }
}

function ask(text, choice) {
  const body = bodyOf(text, choice);
  const replaced = choice.parent && column.querySelector(`.msg[data-parent="${CSS.escape(choice.parent)}"]`);
  if (replaced) cut(replaced);
  const turn = begin(text, composer.modelName());
  turn.parent = choice.parent;
  turn.body = body;
  run = new Run(listen(turn));
  play(turn, run.start(body));
}

/* An answer that was under way when the page was left or reloaded, or is, for a message sent elsewhere. */
function resume() {
  const request = session && recall(`run.${session}`);
  const last = [...column.querySelectorAll(".msg[data-id]")].pop();
  if (!request) {
    if (last?.matches(".user")) import("./recover.js").then((m) => m.elsewhere(session)).then((id) => { if (id && !run) follow(id, last); }, () => {});
  } else if (last?.dataset.request === request) remember(`run.${session}`, null);
  else follow(request, last);
}

function follow(request, last) {
  const turn = begin("", composer.modelName(), pin.held);
  turn.parent = last?.matches(".user") ? last.dataset.id : last?.dataset.parent;
  run = new Run(listen(turn));
  play(turn, import("./recover.js").then((m) => m.recover(run, request, session, turn))).then(() => meanwhile(true));
}

/* What another tab or device said in this conversation, or began, is shown here too. */
function meanwhile(told) {
  if (!run) import("./meanwhile.js").then((m) => m.look(sessions, !column.dataset.leaf && session, column, told, () => run, () => { monitor.chat(session); resume(); })).catch(() => {});
}

function act(name, turn) {
  if (name === "cancel") run?.stop();
  else if (name === "raise" && boot.user?.role !== "admin") {      /* who may use High asks again with it, which goes before what waits */
    choose(composer.priority, "High");
    instead(turn);
  } else if (name === "raise" || name === "now") import("./hurry.js").then((m) => m[name](run?.requestId, turn), unreached);
  else if (name === "switch") toOther(turn);
  else if (name === "reconnect") run?.hurry();
  else if (name === "continue" && !run) ask("Continue exactly where you stopped.", chosen());
  else if (name === "signin") location.assign(`/app/login?next=${encodeURIComponent(location.pathname)}`);
  else if (name === "reload") location.reload();
  else if (name === "edit") { composer.restore(turn.text); if (!turn.answerText) turn.node.remove(); }
  else if (name === "retry" && !run) {
    if (!turn.answerText) turn.node.remove();
    ask(turn.text, { ...chosen(), parent: turn.parent });
  }
}

const chosen = () => ({ model: composer.model.value, priority: composer.priority.value });

/* The buttons under a message. */
function press(article, name) {
  if (name === "explain") import("./explain.js").then(({ explain }) => explain(article.dataset.request));
  else if (run) return;
  else if (name === "again") ask("", { ...chosen(), parent: article.dataset.parent });
  else if (name === "go-on") { part(article, name).remove(); act("continue"); }
  else if (name === "edit") composer.edit(part(article, "body").textContent, article.dataset.parent);
}

column.addEventListener("click", (e) => {
  const button = e.target.closest('[data-part="again"], [data-part="edit"], [data-part="explain"], [data-part="go-on"]');
  if (button) press(button.closest(".msg"), button.dataset.part);
});

for (const article of column.querySelectorAll(".msg")) adopt(article);
examples((text) => composer.restore(text));
const modelChosen = () => { monitor.take(null); showModel(composer.model.selectedOptions[0]); };
composer.model.addEventListener("change", modelChosen);
modelChosen();
estimating();
byId("budget-near").addEventListener("click", () => { if (!monitor.shown) byId("show-monitoring").click(); });
/* Two keys that must not wait; the others are in shortcut.js. / and . may need Shift. */
document.addEventListener("keydown", (e) => {
  const mod = e.ctrlKey || e.metaKey, key = e.code === "Semicolon" ? ";" : e.key.toLowerCase();
  if (mod && !e.shiftKey && key === "k") { e.preventDefault(); byId("search").focus(); }
  else if (e.shiftKey && key === "escape") composer.box.focus();
  else if (e.altKey ? !e.ctrlKey && /^(Key[CR]|Arrow(Up|Down))$/.test(e.code) : mod && ("/.".includes(key) || e.shiftKey && "os;".includes(key))) {
    e.preventDefault();
    import("./shortcut.js").then((m) => m.shortcut(e.altKey ? e.code : key, column), unreached);
  }
});

composer.box.addEventListener("keydown", (e) => {
  const own = [...column.querySelectorAll(".msg.user[data-id]")].pop();
  if (e.key !== "ArrowUp" || e.altKey || composer.box.value || !own) return;
  e.preventDefault();
  press(own, "edit");
});
byId("search").addEventListener("keydown", (e) => {
  if (e.key !== "Enter") return;
  e.preventDefault();
  document.querySelector(".session:not([hidden]) a")?.click();
});
monitor.chat(session);
pin.jump();
resume();
addEventListener("storage", (e) => { if (e.key === `weir.run.${session}` && e.newValue) meanwhile(true); });
if (recall("unsent") && !run) import("./signedout.js").then((m) => m.goOn(session, composer), () => {});
if (matchMedia("(hover: hover)").matches) composer.box.focus();
